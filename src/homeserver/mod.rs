//! The homeserver: its parts, wired together.

mod expiry;
mod follow_ups;
mod status;

use std::{future::Future, ops::Deref, rc::Rc};

use futures::channel::oneshot;
use ruma::{OwnedServerName, ServerName};

pub use self::status::Status;
use crate::{
    Error, Result,
    bus::Bus,
    client_api,
    config::Config,
    feed::Feed,
    http::{Body, RateLimits, Router, refusal},
    media::Media,
    platform::{self, Caller},
    push::Push,
    queue::Queue,
    rooms::{ROOM_EVENTS, Rooms},
    search::Search,
    services::{Services, TABLES},
    store::{self, Batch, Fact, Store},
    sync::Sync,
    users::Users,
};

/// The name of the homeserver.
const SERVER_NAME: Fact<OwnedServerName> = Fact::new("server_name");

/// A homeserver over one store. Derefs to its parts.
pub struct Homeserver {
    services: Services,
    router: Router<Services>,
}

impl Deref for Homeserver {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.services
    }
}

impl Homeserver {
    /// Opens the homeserver that `store` holds, or makes a new one there.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn start(config: Config, store: Store) -> Result<Rc<Self>> {
        let feed = Feed::open(store.clone(), config.kept_changes).await?;
        let queue = Queue::open(store.clone()).await?;
        let bus: Rc<dyn Bus> = Rc::new(queue.clone());
        let rooms = Rooms::open(
            store.clone(),
            feed.clone(),
            bus.clone(),
            config.server_name.clone(),
            config.default_room_version.clone(),
        )
        .await?;
        let users = Users::new(store.clone(), feed.clone(), config.server_name.clone(), TABLES);
        let media = Media::open(store.clone(), config.server_name.clone()).await?;
        let push = Push::open(store.clone(), feed.clone(), &*bus, rooms.clone(), users.clone());
        let push = push.await?;
        let search = Search::open(store.clone(), &*bus, rooms.clone()).await?;
        bus.finish_consumers(ROOM_EVENTS)?;
        let sync =
            Sync::new(store.clone(), feed.clone(), rooms.clone(), users.clone(), push.clone());
        let limits = RateLimits::new(config.rate_limits);
        let services = Services {
            config,
            store,
            feed,
            queue,
            bus,
            rooms,
            users,
            media,
            push,
            search,
            sync,
            limits,
        };
        let router = Router::builder().with(client_api::routes()).finish()?;
        let server = Rc::new(Self { services, router });
        server.finish_follow_ups_or_warn().await;
        server.keep_expiring();
        tracing::info!("the homeserver {} is open", server.config.server_name);
        Ok(server)
    }

    /// The name of the homeserver that `store` holds; `name`, from now on, when it holds none. Ids
    /// of users and rooms have the name in them, so that it can't be changed.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn settle_name(store: &Store, name: &ServerName) -> store::Result<OwnedServerName> {
        if let Some(settled) = SERVER_NAME.get(store).await? {
            return Ok(settled);
        }
        let (mut batch, name) = (Batch::new(), name.to_owned());
        SERVER_NAME.put(&mut batch, &name)?;
        store.commit(batch).await?;
        Ok(name)
    }

    /// Answers a request; never fails, since every failure is a response too.
    ///
    /// To drop the future is to wait for the answer no longer, as an aborted request does. What was
    /// begun goes on to its end in a task of its own, so that nothing is left half done.
    pub async fn fetch(self: &Rc<Self>, request: http::Request<Body>) -> http::Response<Body> {
        let (caller, _waiting) = Caller::new();
        let answer = self.answer(request, caller);
        let (answering, answered) = oneshot::channel();
        platform::spawn(async move {
            // The receiver is gone when nobody waits any longer.
            let _ = answering.send(answer.await);
        });
        answered.await.unwrap_or_else(|_| refusal(Error::internal("what the request did panicked")))
    }

    /// The work on a request, for a task of its own: it must not be dropped before its end, which
    /// it comes to soon when `caller` has left.
    pub(crate) fn answer(
        self: &Rc<Self>,
        mut request: http::Request<Body>,
        caller: Caller,
    ) -> impl Future<Output = http::Response<Body>> + use<> {
        request.extensions_mut().insert(caller);
        let server = self.clone();
        async move { server.router.answer(&server.services, request).await }
    }
}
