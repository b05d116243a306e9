//! What all parts of a running engine share.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::control::ControlState;
use crate::engine::Options;
use crate::index::Index;
use crate::keyring::Keyring;
use crate::stats::Stats;
use crate::store::Store;

/// One running engine's state. Nothing here is global.
#[derive(Debug)]
pub(crate) struct Core {
    pub store: Arc<dyn Store>,
    pub options: Options,
    pub catalog: Catalog,
    pub keyring: Keyring,
    pub index: Index,
    pub stats: Stats,
    /// Orders the control plane's changes to subscriptions.
    pub control: ControlState,
}
