//! An authority over a store: a resource of the node. Its calls wait for a disk, on a dirty I/O scheduler, or for a server,
//! on a thread of this library, which answers by a message.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use rustler::{Binary, Encoder as _, Env, LocalPid, OwnedEnv, Resource, ResourceArc, Term, env::SavedTerm};
use token_embed::{
    Code, Error,
    authority::{Authority, Open, Request},
};

use crate::{
    answer::{guarded, name},
    atoms,
    reader::Reader,
    writer::written,
};

/// How many calls wait for a server at once. The store sends what arrives meanwhile in one statement.
const THREADS: usize = 16;

struct Handle {
    authority: Arc<Authority>,
    calls: Option<mpsc::Sender<Call>>,
}

#[rustler::resource_impl]
impl Resource for Handle {}

/// A call that is answered by a message.
struct Call {
    env: OwnedEnv,
    verb: SavedTerm,
    request: SavedTerm,
    reference: SavedTerm,
    caller: LocalPid,
}

impl Handle {
    fn open(request: Term<'_>, by_message: bool) -> Result<Self, Error> {
        let authority = Arc::new(Authority::open(&Open::read(Reader::new(request))?)?);
        let calls = by_message.then(|| start(&authority)).transpose()?;
        Ok(Self { authority, calls })
    }
}

/// A store that nobody closed is closed when the node collects its handle. That may wait for a disk, so a thread does it.
impl Drop for Handle {
    fn drop(&mut self) {
        self.calls = None;
        let authority = Arc::clone(&self.authority);
        // Without a thread, the closure is dropped here, and the store with it.
        let _ = thread::Builder::new().name("onetoken-close".to_owned()).spawn(move || authority.close());
    }
}

/// Starts the threads that answer by messages. They end when the handle is gone.
fn start(authority: &Arc<Authority>) -> Result<mpsc::Sender<Call>, Error> {
    let (sender, calls) = mpsc::channel::<Call>();
    let calls = Arc::new(Mutex::new(calls));
    for _ in 0..THREADS {
        let (authority, calls) = (Arc::clone(authority), Arc::clone(&calls));
        let next = move || calls.lock().unwrap_or_else(PoisonError::into_inner).recv();
        thread::Builder::new()
            .name("onetoken".to_owned())
            .spawn(move || {
                while let Ok(call) = next() {
                    call.answer(&authority);
                }
            })
            .map_err(|_| Error::new(Code::StoreUnavailable))?;
    }
    Ok(sender)
}

impl Call {
    fn answer(mut self, authority: &Authority) {
        let (verb, request) = (self.verb, self.request);
        let answer = self.env.run(|env| {
            let answer =
                guarded(env, || answered(env, authority, verb.load(env).decode(), request.load(env)));
            self.env.save(answer)
        });
        let reference = self.reference;
        // Fails if the caller is gone.
        let _ = self.env.send_and_clear(&self.caller, |env| {
            (atoms::onetoken(), reference.load(env), answer.load(env)).encode(env)
        });
    }
}

fn answered<'a>(
    env: Env<'a>,
    authority: &Authority,
    verb: Result<Binary<'a>, rustler::Error>,
    request: Term<'a>,
) -> Result<Term<'a>, Error> {
    let verb = verb.map_err(|_| Error::argument("verb", "there is no such verb"))?;
    let request = Request::read(name(verb)?, Reader::new(request))?;
    written(env, &authority.answer(&request)?)
}

/// Opens a store.
#[rustler::nif(schedule = "DirtyIo")]
fn authority_open<'a>(env: Env<'a>, request: Term<'a>, by_message: bool) -> Term<'a> {
    guarded(env, || Ok(ResourceArc::new(Handle::open(request, by_message)?).encode(env)))
}

/// Answers a request, once the disk has.
#[rustler::nif(schedule = "DirtyIo")]
fn authority_call<'a>(
    env: Env<'a>,
    handle: ResourceArc<Handle>,
    verb: Term<'a>,
    request: Term<'a>,
) -> Term<'a> {
    guarded(env, || answered(env, &handle.authority, verb.decode(), request))
}

/// Answers a request by the message `{onetoken, Reference, Answer}` to the caller. Returns `true`, or `false` if none will
/// come, since the authority answers otherwise.
#[rustler::nif]
fn authority_send<'a>(
    env: Env<'a>,
    handle: ResourceArc<Handle>,
    reference: Term<'a>,
    verb: Term<'a>,
    request: Term<'a>,
) -> bool {
    let Some(calls) = &handle.calls else { return false };
    let own = OwnedEnv::new();
    let (verb, request, reference) = (own.save(verb), own.save(request), own.save(reference));
    calls.send(Call { env: own, verb, request, reference, caller: env.pid() }).is_ok()
}

/// Closes the store: later calls are refused.
#[rustler::nif(schedule = "DirtyIo")]
fn authority_close<'a>(env: Env<'a>, handle: ResourceArc<Handle>) -> Term<'a> {
    guarded(env, || {
        handle.authority.close();
        Ok(atoms::null().encode(env))
    })
}
