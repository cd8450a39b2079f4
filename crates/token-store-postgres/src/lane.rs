//! A queue of calls that share one connection.
//!
//! Calls that arrive while a batch is in flight form the next batch. So a lone caller waits for nobody, and many
//! callers share a statement and its sync. There is no timer. The queue is served in order, except that a call about
//! a claim or a new token that the batch already holds waits for the next batch.

use std::{
    collections::{HashSet, VecDeque},
    io,
    pin::pin,
    sync::{Arc, mpsc::SyncSender},
    time::{Duration, Instant},
};

use futures_util::future::{join, join5};
use token_store::StoreError;
use tokio::{sync::mpsc::UnboundedReceiver, time::timeout};

use crate::{
    backoff::pause,
    change::Changes,
    error::{self, Failure, timed_out},
    hosts,
    kind::{Generations, Gets, Inserts, Kind, Others, Repeat, Subject},
    metrics::Meter,
    notices::Notices,
    session::{Session, Target},
};

/// The most callers that share a batch.
const MAX_BATCH: usize = 256;

/// How long to wait at most before a retry.
const LONGEST_DELAY: Duration = Duration::from_millis(500);

/// How often calls in the queue are checked for their timeout.
const LOOK_AROUND: Duration = Duration::from_millis(100);

/// A call in the queue.
pub(crate) enum Job {
    Insert(Call<Inserts>),
    Get(Call<Gets>),
    Change(Call<Changes>),
    Generation(Call<Generations>),
    Notice(Call<Notices>),
    Other(Call<Others>),
}

/// A call of one caller.
pub(crate) struct Call<K: Kind> {
    pub(crate) ask: K::Ask,
    /// When to stop retrying if nothing has happened yet.
    pub(crate) until: Instant,
    /// When the caller began to wait.
    pub(crate) since: Instant,
    pub(crate) reply: SyncSender<Result<K::Answer, StoreError>>,
    /// Why an earlier attempt may have taken effect.
    pub(crate) in_doubt: Option<Arc<io::Error>>,
}

impl<K: Kind> Call<K> {
    // Sending fails if the caller's thread is gone.
    fn tell(self, answer: Result<K::Answer, StoreError>) {
        drop(self.reply.try_send(match (answer, self.in_doubt) {
            (Err(_), Some(cause)) => Err(StoreError::Unknown(Some(cause))),
            (answer, _) => answer,
        }));
    }

    fn is_over(&self) -> bool {
        self.until <= Instant::now()
    }

    fn subject(&self) -> Option<Subject> {
        K::subject(&self.ask)
    }
}

macro_rules! each {
    ($job:expr, $call:ident => $then:expr) => {
        match $job {
            Job::Insert($call) => $then,
            Job::Change($call) => $then,
            Job::Get($call) => $then,
            Job::Generation($call) => $then,
            Job::Notice($call) => $then,
            Job::Other($call) => $then,
        }
    };
}

impl Job {
    fn is_over(&self) -> bool {
        each!(self, call => call.is_over())
    }

    fn fail(self, error: StoreError) {
        each!(self, call => call.tell(Err(error)))
    }
}

/// A queue and its connection.
pub(crate) struct Lane {
    pub(crate) jobs: UnboundedReceiver<Job>,
    pub(crate) target: Target,
    /// How long one statement may take.
    pub(crate) limit: Option<Duration>,
    pub(crate) session: Option<Session>,
}

impl Lane {
    /// Serves the queue until every sender is dropped.
    pub(crate) async fn run(mut self) {
        let mut waiting = VecDeque::new();
        let mut failed = 0_u32;
        // Why the last attempt to connect failed.
        let mut in_vain: Option<StoreError> = None;
        loop {
            if waiting.is_empty() {
                match self.jobs.recv().await {
                    Some(job) => waiting.push_back(job),
                    None => break,
                }
            }
            while let Ok(job) = self.jobs.try_recv() {
                waiting.push_back(job);
            }
            let late = in_vain
                .clone()
                .unwrap_or_else(|| error::no_answer(&self.target.place, "no connection in time"));
            let connecting = connected(self.session.take(), &self.target, self.limit);
            let session = match in_time(connecting, &mut self.jobs, &mut waiting, &late).await {
                Ok(session) => session,
                Err(Failure::Elsewhere(error)) => {
                    fail(&mut waiting, &error, Job::is_over);
                    in_vain = Some(error);
                    failed = failed.saturating_add(1);
                    pause(failed, LONGEST_DELAY).await;
                    continue;
                }
                Err(failure) => {
                    fail(&mut waiting, &failure.into_error(), |_| true);
                    continue;
                }
            };
            self.target.log.using();
            in_vain = None;
            let late = StoreError::Io(timed_out("its turn did not come"));
            let batch = Batch::take(&mut waiting).run(&session, &self.target.meter);
            let again = in_time(batch, &mut self.jobs, &mut waiting, &late).await;
            // Unserved calls return to the front of the queue, in order.
            for job in again.into_iter().rev() {
                waiting.push_front(job);
            }
            if session.is_broken() {
                session.close().await;
                pause(failed, LONGEST_DELAY).await;
                failed = failed.saturating_add(1);
            } else {
                failed = 0;
                self.session = Some(session);
            }
        }
        if let Some(session) = self.session {
            session.close().await;
        }
    }
}

// The connection that there is, if it is sound, or else another.
async fn connected(
    present: Option<Session>,
    target: &Target,
    limit: Option<Duration>,
) -> Result<Session, Failure> {
    if let Some(session) = present {
        if session.is_sound().await {
            return Ok(session);
        }
        session.close().await;
    }
    hosts::open(target, limit).await
}

// Waits for `underway`. Meanwhile fails the calls in the queue whose time is over.
async fn in_time<T>(
    underway: impl Future<Output = T>,
    jobs: &mut UnboundedReceiver<Job>,
    waiting: &mut VecDeque<Job>,
    late: &StoreError,
) -> T {
    let mut underway = pin!(underway);
    loop {
        match timeout(LOOK_AROUND, &mut underway).await {
            Ok(done) => return done,
            Err(_) => {
                while let Ok(job) = jobs.try_recv() {
                    waiting.push_back(job);
                }
                fail(waiting, late, Job::is_over);
            }
        }
    }
}

fn fail(waiting: &mut VecDeque<Job>, error: &StoreError, which: impl Fn(&Job) -> bool) {
    let (gone, left): (Vec<Job>, Vec<Job>) = waiting.drain(..).partition(which);
    waiting.extend(left);
    gone.into_iter().for_each(|job| job.fail(error.clone()));
}

/// The calls that are sent together.
#[derive(Default)]
struct Batch {
    inserts: Vec<Call<Inserts>>,
    gets: Vec<Call<Gets>>,
    changes: Vec<Call<Changes>>,
    generations: Vec<Call<Generations>>,
    notices: Vec<Call<Notices>>,
    others: Vec<Call<Others>>,
}

impl Batch {
    /// Takes the first calls of the queue, no two about the same subject.
    fn take(waiting: &mut VecDeque<Job>) -> Self {
        let mut batch = Self::default();
        let mut subjects: HashSet<Subject> = HashSet::new();
        let mut left = VecDeque::new();
        let mut taken = 0_usize;
        while let Some(job) = waiting.pop_front() {
            let subject = each!(&job, call => call.subject());
            let first = subject.is_none_or(|subject| subjects.insert(subject));
            if !first {
                left.push_back(job);
                continue;
            }
            match job {
                Job::Insert(call) => batch.inserts.push(call),
                Job::Get(call) => batch.gets.push(call),
                Job::Change(call) => batch.changes.push(call),
                Job::Generation(call) => batch.generations.push(call),
                Job::Notice(call) => batch.notices.push(call),
                Job::Other(call) => batch.others.push(call),
            }
            taken = taken.saturating_add(1);
            if taken == MAX_BATCH {
                break;
            }
        }
        left.append(waiting);
        *waiting = left;
        batch
    }

    /// Sends one statement of each kind, all at once. Returns the calls that are to be asked again.
    async fn run(self, session: &Session, meter: &Meter) -> Vec<Job> {
        let others = async {
            let mut again = Vec::new();
            // One after another, since each may take as long as a statement may.
            for call in self.others {
                again.extend(settle(session, vec![call], meter).await);
            }
            again
        };
        let shared = join5(
            settle(session, self.inserts, meter),
            settle(session, self.changes, meter),
            settle(session, self.gets, meter),
            settle(session, self.generations, meter),
            settle(session, self.notices, meter),
        );
        let ((inserts, changes, gets, generations, notices), others) = join(shared, others).await;
        let inserts = inserts.into_iter().map(Job::Insert);
        let changes = changes.into_iter().map(Job::Change);
        let gets = gets.into_iter().map(Job::Get);
        let generations = generations.into_iter().map(Job::Generation);
        let notices = notices.into_iter().map(Job::Notice);
        inserts
            .chain(changes)
            .chain(gets)
            .chain(generations)
            .chain(notices)
            .chain(others.into_iter().map(Job::Other))
            .collect()
    }
}

// Returns the calls that are to be asked again, on another connection or after other calls.
async fn settle<K: Kind>(session: &Session, mut calls: Vec<Call<K>>, meter: &Meter) -> Vec<Call<K>> {
    let mut in_vain = 0_u32;
    let mut skip_locked = false;
    let mut late = timed_out("its turn did not come");
    loop {
        pause(in_vain, LONGEST_DELAY).await;
        let (over, left): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| call.is_over());
        over.into_iter().for_each(|call| call.tell(Err(StoreError::Io(Arc::clone(&late)))));
        calls = left;
        if calls.is_empty() {
            return calls;
        }
        meter.batch(calls.iter().map(|call| call.since.elapsed()));
        let asks: Vec<&K::Ask> = calls.iter().map(|call| &call.ask).collect();
        match K::ask(session, &asks, skip_locked).await {
            Ok(answers) => {
                let asked = calls.len();
                let mut unsettled = Vec::new();
                for (call, answer) in calls.into_iter().zip(answers) {
                    match answer {
                        Some(answer) => call.tell(Ok(answer)),
                        None => unsettled.push(call),
                    }
                }
                calls = unsettled;
                // Rows that others have locked wait until the other calls in the queue had their turn.
                if skip_locked {
                    return calls;
                }
                in_vain = if calls.len() < asked { 0 } else { in_vain.saturating_add(1) };
            }
            Err(Failure::Again(cause)) => {
                late = cause;
                skip_locked = true;
                in_vain = in_vain.saturating_add(1);
            }
            Err(Failure::Elsewhere(_)) => {
                session.abandon();
                return calls;
            }
            // A pooler's connection refuses all of them.
            Err(Failure::Refused(error))
                if calls.len() == 1 || matches!(error, StoreError::Pooled { .. }) =>
            {
                calls.into_iter().for_each(|call| call.tell(Err(error.clone())));
                return Vec::new();
            }
            // The server may refuse only one of them, so ask each by itself.
            Err(Failure::Refused(_)) => {
                let mut again = Vec::new();
                for call in calls {
                    again.extend(Box::pin(settle(session, vec![call], meter)).await);
                }
                return again;
            }
            Err(Failure::Doubt(cause)) => {
                session.abandon();
                let (mut again, in_doubt): (Vec<_>, Vec<_>) =
                    calls.into_iter().partition(|call| K::repeat(&call.ask) != Repeat::OtherWrite);
                for call in again.iter_mut().filter(|call| K::repeat(&call.ask) == Repeat::SameWrite) {
                    call.in_doubt = Some(Arc::clone(&cause));
                }
                meter.add(|metrics| &mut metrics.in_doubt, in_doubt.len());
                let error = StoreError::Unknown(Some(cause));
                in_doubt.into_iter().for_each(|call| call.tell(Err(error.clone())));
                return again;
            }
        }
        meter.add(|metrics| &mut metrics.retries, calls.len());
    }
}
