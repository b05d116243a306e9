//! Which policy a subscription has to follow: its own, its account's or the server's, and who may choose.

use super::super::validate::Findings;
use crate::core::Core;
use crate::model::{AccountId, Intent, Subscription};

/// A policy that is asked for, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentChoice {
    /// By the provider, who may choose any.
    Provider(Intent),
    /// By a consumer, who may choose any where its account's is [`Intent::None`], and else only that one.
    Consumer(Intent),
}

impl Core {
    /// The policy of an account's new subscriptions.
    pub(in crate::control) fn intent_of(&self, account: &AccountId) -> Intent {
        self.accounts.get(account).intent.unwrap_or(self.options.intent)
    }
}

/// Judges what is asked for, and gives the draft the policy that it has to follow. A subscription keeps its own when its
/// account's has changed, until it gets another target: then one that had none to follow takes the account's over.
pub(in crate::control) fn judge(
    findings: &mut Findings,
    draft: &mut Subscription,
    former: Option<&Subscription>,
    asked: Option<IntentChoice>,
    account: Intent,
) {
    let moves = former.is_none_or(|former| former.target_url != draft.target_url);
    let present = former.map(|former| former.intent);
    // What it has may be kept; to have nothing to follow only as long as the target is the same.
    let keeps = present.filter(|present| !moves || *present != Intent::None);
    draft.intent = match asked {
        None => keeps.unwrap_or(account),
        Some(IntentChoice::Provider(intent)) => intent,
        Some(IntentChoice::Consumer(intent)) => {
            let is_free = account == Intent::None || intent == account || keeps == Some(intent);
            if !is_free {
                findings
                    .add("intent", format!("must be {}, which is set for this account", account.as_str()));
            }
            intent
        }
    };
}

#[cfg(test)]
mod tests {
    use super::Intent::{Challenge, Echo, None as Free, Options};
    use super::*;
    use crate::model::SubscriptionStatus;

    fn subscription(intent: Intent, target: &str) -> Subscription {
        super::super::handshake::tests::subscription(intent, target, SubscriptionStatus::Active)
    }

    const HERE: &str = "https://example.com/here";
    const THERE: &str = "https://example.com/there";

    /// The policy that a draft gets, or none when that is refused.
    fn judged(
        former: Option<Intent>,
        moves: bool,
        asked: Option<IntentChoice>,
        account: Intent,
    ) -> Option<Intent> {
        let former = former.map(|intent| subscription(intent, HERE));
        let intent = former.as_ref().map_or(Free, |former| former.intent);
        let mut draft = subscription(intent, if moves { THERE } else { HERE });
        let mut findings = Findings::default();
        judge(&mut findings, &mut draft, former.as_ref(), asked, account);
        findings.into_result().ok().map(|()| draft.intent)
    }

    #[test]
    fn a_new_one_follows_its_account_unless_the_provider_says_otherwise() {
        for account in Intent::ALL {
            assert_eq!(judged(None, true, None, account), Some(account));
            for asked in Intent::ALL {
                assert_eq!(judged(None, true, Some(IntentChoice::Provider(asked)), account), Some(asked));
                let allowed = account == Free || asked == account;
                let consumers = judged(None, true, Some(IntentChoice::Consumer(asked)), account);
                assert_eq!(consumers, allowed.then_some(asked), "{asked:?} of {account:?}");
            }
        }
    }

    #[test]
    fn one_that_is_there_is_left_alone_until_it_moves() {
        assert_eq!(judged(Some(Free), false, None, Echo), Some(Free));
        assert_eq!(judged(Some(Free), true, None, Echo), Some(Echo));
        assert_eq!(judged(Some(Challenge), true, None, Echo), Some(Challenge));
        assert_eq!(judged(Some(Challenge), true, None, Free), Some(Challenge));
        let back = |moves, intent, account| {
            judged(Some(intent), moves, Some(IntentChoice::Consumer(intent)), account)
        };
        assert_eq!(back(false, Free, Echo), Some(Free), "what was read can be sent back");
        assert_eq!(back(true, Free, Echo), None);
        assert_eq!(back(true, Options, Echo), Some(Options));
        let provider = Some(IntentChoice::Provider(Free));
        assert_eq!(judged(Some(Echo), true, provider, Echo), Some(Free));
    }

    #[test]
    fn a_consumer_may_be_stricter_than_asked_for_and_go_back_to_that() {
        assert_eq!(judged(Some(Free), false, Some(IntentChoice::Consumer(Echo)), Free), Some(Echo));
        assert_eq!(judged(Some(Echo), false, Some(IntentChoice::Consumer(Free)), Free), Some(Free));
        assert_eq!(judged(Some(Echo), false, Some(IntentChoice::Consumer(Free)), Echo), None);
        assert_eq!(judged(Some(Echo), false, Some(IntentChoice::Consumer(Options)), Echo), None);
    }
}
