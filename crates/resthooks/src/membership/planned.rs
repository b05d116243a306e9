//! Planned deliveries that other nodes have written, or owned until now: dispatch is told of those that are this node's.

use std::sync::Arc;

use crate::core::Core;
use crate::error::Error;

/// Tells dispatch of planned deliveries that other nodes have written and that are this one's to send.
pub(super) async fn follow(core: &Arc<Core>) -> Result<(), Error> {
    for news in core.store.planned_news(core.node).await? {
        let no = news.subscription;
        let Some((account, aim, _)) = core.lane_of(no).await? else { continue };
        core.dispatch.planned_came(no, &account, &aim, news.came, news.again);
    }
    Ok(())
}
