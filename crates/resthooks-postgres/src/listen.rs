//! The connection that is told of news: a change by another node, events emitted in transactions.
//!
//! What it tells is a hint and nothing more: whoever waits for it looks from time to time as well. Where it can't listen
//! (behind a pooler that gives each transaction another connection), nothing is told and all still works.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use resthooks::env::Clock;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::AsyncMessage;

use crate::connection::Connector;
use crate::database::Schema;

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    news: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Listener {
    pub(crate) fn start(connector: Connector, schema: &Schema, clock: Arc<dyn Clock>) -> Self {
        let news = Arc::new(Notify::new());
        let (told, listen) = (Arc::clone(&news), format!("LISTEN {}", schema.quoted));
        let task = tokio::spawn(async move {
            loop {
                hear(&connector, &listen, &told).await;
                clock.sleep(PAUSE).await;
            }
        });
        Self { news, task }
    }

    /// Ends when there is news, or when there may have been.
    pub(crate) async fn told(&self) {
        self.news.notified().await;
    }

    pub(crate) fn close(&self) {
        self.task.abort();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

/// Listens until the connection ends.
async fn hear(connector: &Connector, listen: &str, told: &Notify) {
    let Ok((client, mut connection)) = connector.connect_bare().await else { return };
    let mut messages = std::pin::pin!(poll_fn(move |cx| connection.poll_message(cx)));
    let mut asked = std::pin::pin!(client.batch_execute(listen));
    let mut listening = false;
    loop {
        tokio::select! {
            answer = &mut asked, if !listening => {
                if let Err(error) = answer {
                    tracing::debug!(%error, "the database does not tell of news");
                    return;
                }
                listening = true;
                // What happened before is not told.
                tell(told);
            }
            message = &mut messages => match message {
                Some(Ok(AsyncMessage::Notification(_))) => tell(told),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

/// Whoever waits is woken, and who comes next does not wait: it may have looked just before.
fn tell(told: &Notify) {
    told.notify_waiters();
    told.notify_one();
}
