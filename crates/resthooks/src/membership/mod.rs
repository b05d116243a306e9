//! One node among others that share a store: holding a lease, following what others change, taking over from nodes that
//! are gone, and beginning anew when this one was itself taken over.
//!
//! Every node is equal, and none speaks with another: what they know of each other stands in the store. A store with a
//! single owner has none of this.

mod lease;
mod planned;
mod takeover;

use std::sync::Arc;
use std::time::Duration;

use crate::core::Core;
use crate::engine::begin;
use crate::hooks::Hooks;
use crate::ingest::collect;

/// How often others' changes are looked at when nothing is told.
const LOOK: Duration = Duration::from_millis(500);
/// Between two looks, however much is told.
const BREATH: Duration = Duration::from_millis(2);
/// After the store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How long the last word to the store may take.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Keeps an engine among the nodes of its store until it is stopped: when it is taken over, it begins anew as another
/// node, without any hand.
pub(crate) async fn keep(hooks: Hooks) {
    loop {
        let core = hooks.core();
        take_part(&core).await;
        if !core.fenced.is_cancelled() {
            return;
        }
        tracing::warn!(node = core.node.0, "taken over by another node; beginning anew as a node of its own");
        abandon(&core);
        if !begin_anew(&hooks, &core).await {
            return;
        }
    }
}

/// Does a node's part until it stops or is taken over.
async fn take_part(core: &Arc<Core>) {
    let parts = [
        tokio::spawn(lease::hold(Arc::clone(core))),
        tokio::spawn(follow(Arc::clone(core))),
        tokio::spawn(collect(Arc::clone(core))),
    ];
    tokio::select! {
        () = core.fenced.cancelled() => {}
        () = core.stopping.cancelled() => {}
    }
    parts.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Lets go of everything: it is another node's. Requests in flight may end; what comes of them is not recorded.
fn abandon(core: &Core) {
    core.dispatch.close();
    core.stopping.cancel();
    core.writer.abandon();
}

/// Whether the engine runs again.
async fn begin_anew(hooks: &Hooks, former: &Core) -> bool {
    loop {
        if hooks.stopping().is_cancelled() {
            return false;
        }
        let store = Arc::clone(&former.store);
        match begin(store, former.options.clone(), Arc::clone(&former.stats)).await {
            Ok(core) => {
                tracing::info!(node = core.node.0, "joined again");
                hooks.replace_core(Arc::clone(&core));
                if hooks.stopping().is_cancelled() {
                    // The stop may have seen the former one only.
                    hooks.shutdown(Duration::ZERO).await;
                    return false;
                }
                return true;
            }
            Err(error) => tracing::warn!(%error, "can't join the other nodes; trying again"),
        }
        tokio::select! {
            () = former.options.clock.sleep(AFTER_FAILURE) => {}
            () = hooks.stopping().cancelled() => {}
        }
    }
}

/// Brings other nodes' changes into memory as soon as they are told, or seen.
async fn follow(core: Arc<Core>) {
    let clock = Arc::clone(&core.options.clock);
    let mut well = true;
    loop {
        tokio::select! {
            () = core.store.told() => {}
            () = clock.sleep(LOOK) => {}
        }
        core.told.notify_one();
        let followed = match core.follow_changes().await {
            Ok(()) => planned::follow(&core).await,
            failed => failed,
        };
        match followed {
            Ok(()) => well = true,
            Err(error) => {
                if std::mem::take(&mut well) {
                    tracing::warn!(%error, "other nodes' changes can't be read; trying again");
                }
            }
        }
        clock.sleep(BREATH).await;
    }
}

/// Leaves the other nodes in order, so that they need not wait for the end of the lease.
pub(crate) async fn leave(core: &Core) {
    if !core.store.is_shared() || core.fenced.is_cancelled() {
        return;
    }
    let left = tokio::select! {
        left = core.store.leave(core.node) => left,
        () = core.options.clock.sleep(LAST_WORD) => return,
    };
    if let Err(error) = left {
        tracing::warn!(%error, "could not tell the store that this node stops; others take over when its lease ends");
    }
}
