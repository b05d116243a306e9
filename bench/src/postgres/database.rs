//! One store's database, and what PostgreSQL says it has done.

use super::cluster::{COUNTING, Cluster};
use super::session::Session;

/// Statements that a profile shows.
const SHOWN: i64 = 20;
/// Characters of each.
const SHOWN_CHARACTERS: i32 = 110;

/// A database. Removed when dropped.
#[derive(Debug)]
pub(crate) struct Database<'a> {
    cluster: &'a Cluster,
    session: Session,
    name: String,
}

/// What has been done up to a moment, or between two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    /// Statements that clients sent; not known without the module that counts them.
    pub statements: Option<u64>,
    /// Transactions that wrote something.
    pub commits: u64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
}

impl Done {
    /// What was done since then.
    pub(crate) fn since(self, before: Self) -> Self {
        let less = |now: u64, then: u64| now.saturating_sub(then);
        Self {
            statements: self.statements.zip(before.statements).map(|(now, then)| less(now, then)),
            commits: less(self.commits, before.commits),
            wal_bytes: less(self.wal_bytes, before.wal_bytes),
        }
    }
}

impl<'a> Database<'a> {
    pub(super) fn make(cluster: &'a Cluster, name: String) -> anyhow::Result<Self> {
        let session = cluster.session()?;
        session.run(&format!("CREATE DATABASE {name}"))?;
        Ok(Self { cluster, session, name })
    }

    /// Has everything written out now that would be later, in the middle of what is measured: a new database's files and
    /// tables are some ten thousand pages.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        self.session.run("CHECKPOINT")
    }

    /// How a node reaches it.
    pub(crate) fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// The parent of the processes that work for it.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.cluster.pid()
    }

    /// Bytes of its files.
    pub(crate) fn bytes(&self) -> anyhow::Result<u64> {
        let size: i64 =
            self.session.row("SELECT pg_database_size($1::text::name)", &[&self.name])?.try_get(0)?;
        Ok(u64::try_from(size)?)
    }

    /// What has been done up to now.
    ///
    /// Numbers of transactions and the log's position are exact at once, while `pg_stat_database` and `pg_stat_wal` are
    /// told up to ten seconds later. Both are the whole server's, on which no other store is in use.
    pub(crate) fn done(&self) -> anyhow::Result<Done> {
        let row = self.session.row(
            "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, (pg_current_wal_insert_lsn() - '0/0')::bigint",
            &[],
        )?;
        let (commits, wal_bytes): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Done {
            statements: self.statements()?,
            commits: u64::try_from(commits)?,
            wal_bytes: u64::try_from(wal_bytes)?,
        })
    }

    fn statements(&self) -> anyhow::Result<Option<u64>> {
        if !self.cluster.counts_statements {
            return Ok(None);
        }
        // Before version 14 nothing says which were sent by a client, and only those are counted.
        let sql = format!(
            "SELECT coalesce(sum(s.calls), 0)::bigint FROM {COUNTING} s JOIN pg_database d ON d.oid = s.dbid
             WHERE d.datname = $1::text::name AND coalesce((to_jsonb(s) ->> 'toplevel')::boolean, true)"
        );
        let calls: i64 = self.session.row(&sql, &[&self.name])?.try_get(0)?;
        Ok(Some(u64::try_from(calls)?))
    }

    /// Begins a profile anew.
    pub(crate) fn begin_profile(&self) -> anyhow::Result<()> {
        match self.cluster.counts_statements {
            true => self.session.run(&format!("SELECT {COUNTING}_reset()")),
            false => Ok(()),
        }
    }

    /// Where the time went since the profile began: the statements that took the most of it, those inside of functions
    /// too (whose time is part of the function's).
    pub(crate) fn profile(&self) -> anyhow::Result<String> {
        if !self.cluster.counts_statements {
            return Ok(format!("no profile: PostgreSQL has no module {COUNTING}\n"));
        }
        let sql = format!(
            "SELECT s.calls, s.total_exec_time, s.rows, left(regexp_replace(s.query, '\\s+', ' ', 'g'), $2)
             FROM {COUNTING} s JOIN pg_database d ON d.oid = s.dbid
             WHERE d.datname = $1::text::name ORDER BY s.total_exec_time DESC LIMIT $3"
        );
        let mut text = format!("{:>9}  {:>10}  {:>9}  {:>9}  statement\n", "calls", "ms", "ms each", "rows");
        for row in self.session.rows(&sql, &[&self.name, &SHOWN_CHARACTERS, &SHOWN])? {
            let (calls, time): (i64, f64) = (row.try_get(0)?, row.try_get(1)?);
            let (rows, query): (i64, String) = (row.try_get(2)?, row.try_get(3)?);
            let each = time / calls as f64;
            text += &format!("{calls:>9}  {time:>10.1}  {each:>9.3}  {rows:>9}  {query}\n");
        }
        Ok(text)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // With the server gone it is gone too.
        drop(self.session.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)));
    }
}
