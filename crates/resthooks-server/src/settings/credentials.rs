//! What callers may prove themselves with beside API keys, as the settings say it.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use resthooks::model::Invalid;
use resthooks_api::credentials::{
    Credentials, Endpoint, FieldPath, ForwardAuth, ForwardOptions, Jwt, JwtOptions, Named, Reading,
    RemoteKeys, StaticKeys, TrustedProxy, client,
};

use super::Hidden;

/// How long a set of keys may take to be fetched.
const KEYS_TIMEOUT: Duration = Duration::from_secs(10);

/// Tokens, forward authentication and a proxy's header, as they were given.
#[derive(Debug, Clone, Default)]
pub(crate) struct CredentialSettings {
    pub jwt_secret: Option<Hidden>,
    /// PEM texts.
    pub jwt_keys: Vec<String>,
    /// A JWK Set, which may have secrets in it.
    pub jwt_jwks: Option<Hidden>,
    pub jwt_jwks_url: Option<String>,
    pub jwt_issuers: Vec<String>,
    pub jwt_audiences: Vec<String>,
    pub jwt_any_audience: bool,
    pub jwt_leeway: Duration,
    pub jwt_account_claim: Option<FieldPath>,
    pub jwt_provider_claim: Option<(FieldPath, String)>,
    pub forward_url: Option<String>,
    pub forward_headers: Vec<HeaderName>,
    pub forward_account_header: Option<HeaderName>,
    pub forward_account_field: Option<FieldPath>,
    pub forward_provider_header: Option<(HeaderName, String)>,
    pub forward_provider_field: Option<(FieldPath, String)>,
    pub forward_cache: Duration,
    pub forward_timeout: Duration,
    pub proxy_header: Option<HeaderName>,
    pub proxy_from: Vec<IpNet>,
    /// Whether others may be asked without TLS.
    pub over_http: bool,
}

/// A setting, and what is wrong with it beside the others.
type Wrong = (&'static str, String);

impl CredentialSettings {
    /// What no setting can judge by itself.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        self.check_jwt()?;
        self.check_forward()?;
        match (&self.proxy_header, self.proxy_from.is_empty()) {
            (Some(_), true) => return Err(needs("proxy-auth-header", "--proxy-auth-from")),
            (None, false) => return Err(needs("proxy-auth-from", "--proxy-auth-header")),
            _ => {}
        }
        self.proxy().map(drop).map_err(|e| ("proxy-auth-header", e.0))?;
        for (name, url) in [("jwt-jwks-url", &self.jwt_jwks_url), ("forward-auth-url", &self.forward_url)] {
            if let Some(url) = url {
                Endpoint::new(url, self.over_http).map_err(|Invalid(wrong)| (name, wrong))?;
            }
        }
        Ok(())
    }

    fn takes_tokens(&self) -> bool {
        self.jwt_secret.is_some()
            || !self.jwt_keys.is_empty()
            || self.jwt_jwks.is_some()
            || self.jwt_jwks_url.is_some()
    }

    fn check_jwt(&self) -> Result<(), Wrong> {
        if !self.takes_tokens() {
            let given = [
                ("jwt-issuer", !self.jwt_issuers.is_empty()),
                ("jwt-audience", !self.jwt_audiences.is_empty()),
                ("jwt-any-audience", self.jwt_any_audience),
                ("jwt-provider-claim", self.jwt_provider_claim.is_some()),
            ];
            let idle = given.into_iter().find_map(|(name, is_given)| is_given.then_some(name));
            let keys = "--jwt-secret, --jwt-key, --jwt-jwks or --jwt-jwks-url";
            return idle.map_or(Ok(()), |name| Err(needs(name, keys)));
        }
        if self.jwt_audiences.is_empty() && !self.jwt_any_audience {
            let wrong = "must name whom tokens are for, or a token that was made for another service of the same issuer \
                         is good here too; --jwt-any-audience takes that as it is";
            return Err(("jwt-audience", wrong.to_owned()));
        }
        Ok(())
    }

    fn check_forward(&self) -> Result<(), Wrong> {
        let names = [
            ("forward-auth-account-header", self.forward_account_header.is_some()),
            ("forward-auth-account-field", self.forward_account_field.is_some()),
            ("forward-auth-provider-header", self.forward_provider_header.is_some()),
            ("forward-auth-provider-field", self.forward_provider_field.is_some()),
        ];
        if self.forward_url.is_none() {
            let idle = names.into_iter().find_map(|(name, is_given)| is_given.then_some(name));
            return idle.map_or(Ok(()), |name| Err(needs(name, "--forward-auth-url")));
        }
        let both = "can't be given beside the header of the same: an answer is read in one way";
        match (&self.forward_account_header, &self.forward_account_field) {
            (None, None) => {
                return Err(needs(
                    "forward-auth-url",
                    "--forward-auth-account-header or --forward-auth-account-field",
                ));
            }
            (Some(_), Some(_)) => return Err(("forward-auth-account-field", both.to_owned())),
            _ => {}
        }
        if self.forward_provider_header.is_some() && self.forward_provider_field.is_some() {
            return Err(("forward-auth-provider-field", both.to_owned()));
        }
        let shown = ForwardAuth::check_headers(&self.forward_headers);
        shown.map_err(|Invalid(wrong)| ("forward-auth-header", wrong))
    }

    /// Puts together what the API asks of. With a URL for keys, these are fetched from now on: within a Tokio runtime.
    ///
    /// # Errors
    /// When what was checked is not so any more, or TLS can't be set up.
    pub(crate) fn build(&self, engine: &resthooks::Options) -> anyhow::Result<Credentials> {
        let mut credentials = Credentials::default();
        credentials.jwt = self.jwt(engine)?.map(Arc::new);
        credentials.forward = self.forward(engine)?;
        credentials.proxy = self.proxy().map_err(|Invalid(wrong)| anyhow::anyhow!(wrong))?;
        Ok(credentials)
    }

    fn jwt(&self, engine: &resthooks::Options) -> anyhow::Result<Option<Jwt>> {
        if !self.takes_tokens() {
            return Ok(None);
        }
        let mut options = JwtOptions::new(Arc::clone(&engine.clock));
        options.keys = self.static_keys().map_err(|(name, wrong)| anyhow::anyhow!("--{name}: {wrong}"))?;
        if let Some(url) = &self.jwt_jwks_url {
            let remote = RemoteKeys::new(
                self.endpoint(url)?,
                client(engine, KEYS_TIMEOUT)?,
                Arc::clone(&engine.clock),
            );
            remote.prepare();
            options.remote = Some(remote);
        }
        options.issuers.clone_from(&self.jwt_issuers);
        options.audiences.clone_from(&self.jwt_audiences);
        options.leeway = self.jwt_leeway;
        if let Some(claim) = &self.jwt_account_claim {
            options.account_claim = claim.clone();
        }
        options.provider_claim.clone_from(&self.jwt_provider_claim);
        Ok(Some(Jwt::new(options)))
    }

    fn static_keys(&self) -> Result<StaticKeys, Wrong> {
        let mut keys = StaticKeys::default();
        if let Some(secret) = &self.jwt_secret {
            keys.add_secret(secret.as_bytes()).map_err(|e| ("jwt-secret", e.0))?;
        }
        for pem in &self.jwt_keys {
            keys.add_pem(pem).map_err(|e| ("jwt-key", e.0))?;
        }
        if let Some(set) = &self.jwt_jwks {
            keys.add_jwks(set).map_err(|e| ("jwt-jwks", e.0))?;
        }
        Ok(keys)
    }

    fn forward(&self, engine: &resthooks::Options) -> anyhow::Result<Option<ForwardAuth>> {
        let Some(url) = &self.forward_url else { return Ok(None) };
        let by_header = self.forward_account_header.clone().map(Named::Header);
        let account = by_header.or_else(|| self.forward_account_field.clone().map(Named::Field));
        let Some(account) = account else { return Ok(None) };
        let header = self.forward_provider_header.clone().map(|(name, value)| (Named::Header(name), value));
        let field = self.forward_provider_field.clone().map(|(path, value)| (Named::Field(path), value));
        let reading = Reading { account, provider: header.or(field) };
        let clock = Arc::clone(&engine.clock);
        let client = client(engine, self.forward_timeout)?;
        let mut options = ForwardOptions::new(self.endpoint(url)?, client, reading, clock);
        options.headers.clone_from(&self.forward_headers);
        options.cache = self.forward_cache;
        let made = ForwardAuth::new(options);
        made.map(Some).map_err(|Invalid(wrong)| anyhow::anyhow!("--forward-auth-header: {wrong}"))
    }

    fn proxy(&self) -> Result<Option<TrustedProxy>, Invalid> {
        let header = self.proxy_header.clone();
        header.map(|header| TrustedProxy::new(header, self.proxy_from.clone())).transpose()
    }

    fn endpoint(&self, url: &str) -> anyhow::Result<Endpoint> {
        Endpoint::new(url, self.over_http).map_err(|Invalid(wrong)| anyhow::anyhow!(wrong))
    }
}

fn needs(name: &'static str, other: &str) -> Wrong {
    (name, format!("needs {other} beside it"))
}

#[cfg(test)]
mod tests {
    use crate::settings::Resolved;

    fn wrong(given: &[(&str, &str)]) -> String {
        Resolved::of(given).unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let secret = ("jwt-secret", "a-secret-of-at-least-32-bytes-no-less");
        for (given, name, why) in [
            (vec![secret], "--jwt-audience", "--jwt-any-audience"),
            (vec![("jwt-audience", "hooks")], "--jwt-audience", "needs --jwt-secret"),
            (vec![("jwt-issuer", "https://i.example")], "--jwt-issuer", "--jwt-jwks-url"),
            (
                vec![("jwt-jwks-url", "http://keys.example/"), ("jwt-audience", "hooks")],
                "--jwt-jwks-url",
                "https",
            ),
            (vec![("forward-auth-url", "https://a.example/")], "--forward-auth-url", "account-header"),
            (vec![("forward-auth-account-header", "x-account")], "--forward-auth-account-header", "-url"),
            (
                vec![
                    ("forward-auth-url", "https://a.example/"),
                    ("forward-auth-account-header", "x-account"),
                    ("forward-auth-account-field", "id"),
                ],
                "--forward-auth-account-field",
                "one way",
            ),
            (vec![("proxy-auth-header", "x-account")], "--proxy-auth-header", "--proxy-auth-from"),
            (vec![("proxy-auth-from", "10.0.0.0/8")], "--proxy-auth-from", "--proxy-auth-header"),
            (
                vec![("proxy-auth-from", "10.0.0.1"), ("proxy-auth-header", "host")],
                "--proxy-auth-header",
                "the proxy's own",
            ),
        ] {
            let error = wrong(&given);
            assert!(error.starts_with(name) && error.contains(why), "{given:?}: {error}");
        }
    }

    #[test]
    fn what_goes_together_is_taken() {
        let secret = ("jwt-secret", "a-secret-of-at-least-32-bytes-no-less");
        for given in [
            vec![secret, ("jwt-audience", "hooks"), ("jwt-provider-claim", "scope=hooks:admin")],
            vec![secret, ("jwt-any-audience", "true")],
            vec![
                ("jwt-jwks-url", "http://keys.internal/"),
                ("jwt-audience", "hooks"),
                ("auth-over-http", "true"),
            ],
            vec![("forward-auth-url", "http://localhost:9/"), ("forward-auth-account-field", "user.id")],
            vec![
                ("proxy-auth-from", "10.0.0.1"),
                ("proxy-auth-from", "fd00::/8"),
                ("proxy-auth-header", "X-Account"),
            ],
        ] {
            let resolved = Resolved::of(&given).unwrap();
            let settings = resolved.settings;
            assert!(settings.credentials.check().is_ok());
        }
    }
}
