//! The running server: what every request passes, whichever upstream it is meant for.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{MatchedPath, Query, Request, State},
    http::{Uri, header::IF_NONE_MATCH},
    middleware::{self, Next},
    response::Response,
    serve::ListenerExt,
};
use futures::FutureExt;
use jiff::{Timestamp, civil::Date};
use tokio::{net::TcpListener, sync::oneshot, time::sleep};

use crate::{
    AuditCounts, AuditTruth, Deliveries, RepositoryTruth, Requests, RunAttemptTruth, RunTruth, Settings, TenantTruth,
    Truth, UsageTruth, WorkloadTruth,
    actions::{repositories::MOST_REPOSITORIES, unusable},
    control, days,
    faults::Kind,
    github, microsoft,
    microsoft::{pages, publication::Kind as Report},
    settings::{FEWEST_SEATS, FEWEST_USERS, MOST_RUNS_PER_DAY, MOST_SEATS, MOST_USERS},
    spoil::spoil,
    world::World,
};

/// Under what a request is counted that no route answers.
const UNKNOWN: &str = "unknown";

/// A simulator that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The address can be reached from outside.
    #[error("the simulator accepts a token everybody knows: bind it to 127.0.0.1 or ::1, not to {0}")]
    NotLoopback(SocketAddr),
    /// The data set cannot be made.
    #[error("a data set has between {FEWEST_SEATS} and {MOST_SEATS} seats, not {0}")]
    Seats(u32),
    /// There cannot be so many, nor none.
    #[error("a data set has between 1 and {MOST_REPOSITORIES} repositories, not {0}")]
    Repositories(u32),
    /// More than ids have room for.
    #[error("a day has at most {MOST_RUNS_PER_DAY} workflow runs, not {0}")]
    RunsPerDay(u32),
    /// Too few for the oddities of a tenant, or more than it has room for.
    #[error("a tenant has between {FEWEST_USERS} and {MOST_USERS} users, not {0}")]
    TenantUsers(u32),
    /// The scenario names a repository that is not in the data set, or not fit for it.
    #[error("scenario: {0}")]
    Unusable(String),
    /// The socket is not to be had.
    #[error("cannot listen on {address}, is the port taken? Choose another")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    world: Arc<World>,
    /// Dropping it is what stops the server.
    _running: oneshot::Sender<()>,
}

impl Simulator {
    /// Starts on a free port of the loopback interface. Needs a tokio runtime.
    pub async fn start(settings: Settings) -> Result<Self, SimulatorError> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), settings).await
    }

    /// Starts on a loopback address; any other is refused.
    pub async fn start_on(address: SocketAddr, settings: Settings) -> Result<Self, SimulatorError> {
        if !address.ip().is_loopback() {
            return Err(SimulatorError::NotLoopback(address));
        }
        if !(FEWEST_SEATS..=MOST_SEATS).contains(&settings.seats) {
            return Err(SimulatorError::Seats(settings.seats));
        }
        if !(1..=MOST_REPOSITORIES).contains(&settings.repositories) {
            return Err(SimulatorError::Repositories(settings.repositories));
        }
        if settings.runs_per_day > MOST_RUNS_PER_DAY {
            return Err(SimulatorError::RunsPerDay(settings.runs_per_day));
        }
        if !(FEWEST_USERS..=MOST_USERS).contains(&settings.tenant_users) {
            return Err(SimulatorError::TenantUsers(settings.tenant_users));
        }
        if let Some((_, message)) = unusable(&settings.scenario, settings.repositories) {
            return Err(SimulatorError::Unusable(message));
        }
        let (listener, bound) = listen(address).await?;
        // Reports lie elsewhere at Microsoft, and a client has to notice.
        let (downloads, elsewhere) = listen(SocketAddr::new(address.ip(), 0)).await?;
        let world = Arc::new(World::new(
            format!("http://{bound}"),
            format!("http://{elsewhere}"),
            settings,
        ));
        let (running, stopped) = oneshot::channel::<()>();
        let stopped = stopped.map(drop).shared();
        let origins = [
            (listener, router(&world)),
            (
                downloads,
                observed(&world, microsoft::downloads_router(&world)).with_state(Arc::clone(&world)),
            ),
        ];
        for (listener, router) in origins {
            // Small answers would otherwise wait for the client's delayed acknowledgement.
            let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
            let server = axum::serve(listener, router).with_graceful_shutdown(stopped.clone());
            tokio::spawn(server.into_future());
        }
        Ok(Self {
            world,
            _running: running,
        })
    }

    /// The base of every address, such as `http://127.0.0.1:43210`.
    pub fn url(&self) -> String {
        self.world.url.clone()
    }

    /// Moves to another day, in either direction; the workflow runs and the audit log move to its end.
    pub fn set_today(&self, day: Date) {
        self.world.set_today(day);
    }

    /// Moves the workflow runs and the audit log, and nothing else, to an instant, in either direction.
    pub fn set_now(&self, now: Timestamp) {
        self.world.set_now(now);
    }

    /// Up to when the workflow runs and the audit log have come.
    pub fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// What has been asked so far.
    pub fn requests(&self) -> Requests {
        self.world.requests().clone()
    }

    /// Starts counting anew; limits and faults go on counting.
    pub fn reset_requests(&self) {
        *self.world.requests() = Requests::default();
    }

    /// Every login, mail address, SAML name id and display name it may serve on this day, and of everybody whom a
    /// workflow run may name that can be seen within 400 days of it. Of the tenant every display name, mail address and
    /// UPN, as the directory spells it and in lower case, also of those whom only a report still names.
    pub fn identities(&self) -> Vec<String> {
        self.world.identities()
    }

    /// Its own account of the day.
    pub fn truth(&self) -> Truth {
        self.world.truth()
    }

    /// Its own account of the repositories, without those the scenario says are gone.
    pub fn repositories(&self) -> Vec<RepositoryTruth> {
        self.world.actions.repository_truths()
    }

    /// Its own account of the workflow runs created in `[from, to)`, whether or not now has come to them; oldest first.
    pub fn runs(&self, from: Timestamp, to: Timestamp) -> Vec<RunTruth> {
        self.world.actions.run_truths(from, to)
    }

    /// Its own account of every attempt that started before `to` and ended at `from` or later, whether or not now has
    /// come to it; by `ended_at`, run and attempt. Those of gone repositories are left out, of forbidden ones not.
    pub fn run_attempts(&self, from: Timestamp, to: Timestamp) -> Vec<RunAttemptTruth> {
        self.world.actions.run_attempts(from, to)
    }

    /// Where reports are downloaded from: an origin of its own, as at Microsoft.
    pub fn downloads_url(&self) -> String {
        self.world.downloads_url.clone()
    }

    /// Its own account of the directory as it is served on a day.
    pub fn tenant(&self, day: Date) -> TenantTruth {
        self.world.microsoft.tenant.truth(days::number_of(day))
    }

    /// The refresh date of the Copilot usage report that is served on a day.
    pub fn served_report(&self, day: Date) -> Option<Date> {
        let served = self.world.microsoft.tenant.served(Report::Usage, days::number_of(day));
        served.map(days::date_of)
    }

    /// What the Copilot usage report of a refresh date tells, if it is ever served: everybody with a row that can be
    /// read, in the order of the report, rows of one person merged.
    pub fn usage(&self, refresh_on: Date) -> Vec<UsageTruth> {
        self.world.microsoft.usage_truths(days::number_of(refresh_on))
    }

    /// How many rows of that report cannot be read.
    pub fn rejected_usage_rows(&self, refresh_on: Date) -> u64 {
        self.world.microsoft.rejected_usage_rows(days::number_of(refresh_on))
    }

    /// The refresh date of the active-user report that is served on a day.
    pub fn served_workloads(&self, day: Date) -> Option<Date> {
        let served = self
            .world
            .microsoft
            .tenant
            .served(Report::Workloads, days::number_of(day));
        served.map(days::date_of)
    }

    /// The day from which the active-user report of a refresh date is served; none where it never is.
    pub fn workloads_published_on(&self, refresh_on: Date) -> Option<Date> {
        let tenant = &self.world.microsoft.tenant;
        let out = tenant.published_on(Report::Workloads, days::number_of(refresh_on));
        out.map(days::date_of)
    }

    /// What the active-user report of a refresh date tells of everybody, in the order of the report. Asked for by date it
    /// lists those only who were active on that date.
    pub fn workloads(&self, refresh_on: Date) -> Vec<WorkloadTruth> {
        self.world.microsoft.workload_truths(days::number_of(refresh_on))
    }

    /// From when on there are blobs of content: seven days that end with the first day, all that can then be asked for.
    pub fn audit_since(&self) -> Timestamp {
        self.world.microsoft.log.since()
    }

    /// Its own account of the interactions in blobs created before an instant, whether or not now has come to it: each
    /// that can be read once, in the order in which they happened.
    pub fn audit_events(&self, created_until: Timestamp) -> Vec<AuditTruth> {
        self.audit_events_between(self.audit_since(), created_until)
    }

    /// The same of the blobs created in `[created_from, created_until)`.
    pub fn audit_events_between(&self, created_from: Timestamp, created_until: Timestamp) -> Vec<AuditTruth> {
        self.world.microsoft.log.truths(created_from, created_until)
    }

    /// How much is in the blobs created before an instant.
    pub fn audit_counts(&self, created_until: Timestamp) -> AuditCounts {
        self.audit_counts_between(self.audit_since(), created_until)
    }

    /// How much is in the blobs created in `[created_from, created_until)`.
    pub fn audit_counts_between(&self, created_from: Timestamp, created_until: Timestamp) -> AuditCounts {
        self.world.microsoft.log.counts(created_from, created_until)
    }

    /// Tells every webhook of the blobs that were created up to now and that it has not been told of. It happens here and
    /// nowhere else, so that a test knows when.
    pub async fn deliver_notifications(&self) -> Deliveries {
        microsoft::feed::delivery::deliver(&self.world).await
    }

    /// Puts these addresses, and no others, on the list of people who are not to be counted.
    pub fn set_excluded(&self, addresses: Vec<String>) {
        self.world.microsoft.exclusions.set(addresses);
    }

    /// Who is on that list on a day, as it spells them.
    pub fn excluded(&self, day: Date) -> Vec<String> {
        let microsoft = &self.world.microsoft;
        let addresses = microsoft.exclusions.addresses(&microsoft.tenant, days::number_of(day));
        addresses.as_ref().clone()
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), SimulatorError> {
    let bind = |source| SimulatorError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let bound = listener.local_addr().map_err(bind)?;
    Ok((listener, bound))
}

/// The templates of all routes: what requests are counted by and faults are aimed at.
pub(crate) fn routes() -> impl Iterator<Item = &'static str> {
    github::ROUTES.into_iter().chain(microsoft::ROUTES)
}

fn router(world: &Arc<World>) -> Router {
    let upstreams = github::router(world).merge(microsoft::router(world));
    let routes = observed(world, upstreams)
        .merge(control::router())
        .with_state(Arc::clone(world));
    // A router's own layers come after the choice of a route, this one has to come before it.
    Router::new()
        .fallback_service(routes)
        .layer(middleware::from_fn_with_state(Arc::clone(world), github::by_name))
}

fn observed(world: &Arc<World>, routes: Router<Arc<World>>) -> Router<Arc<World>> {
    routes.layer(middleware::from_fn_with_state(Arc::clone(world), observe))
}

/// How long an answer takes. Each upstream waits for itself, because one that waits counts as being answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delay(Duration);

impl Delay {
    pub(crate) async fn wait(self) {
        sleep(self.0).await;
    }
}

/// The page a request asks for, the first where it does not say.
fn page(uri: &Uri) -> u64 {
    #[derive(serde::Deserialize)]
    struct Asked {
        page: u64,
    }
    let numbered = || Query::<Asked>::try_from_uri(uri).map_or(1, |Query(asked)| asked.page);
    pages::number(uri).unwrap_or_else(numbered)
}

/// Counts a request, and does to it what the scenario says.
async fn observe(State(world): State<Arc<World>>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(UNKNOWN, MatchedPath::as_str);
    world.requests().arrived(route);
    let fault = world.faults.next(route, page(request.uri()));

    let (mut delay, mut spoiled) = (world.settings.latency, None);
    match fault {
        Some(Kind::Stalled(time)) => delay += time,
        Some(Kind::ListShift) => world.shift_list(),
        // How an upstream refuses is its own business.
        Some(Kind::Refused(refused)) => drop(request.extensions_mut().insert(refused)),
        Some(Kind::Spoiled(how)) => {
            // Only an answer with a body can be spoiled.
            request.headers_mut().remove(IF_NONE_MATCH);
            spoiled = Some(how);
        }
        None => {}
    }
    request.extensions_mut().insert(Delay(delay));
    let response = next.run(request).await;
    world.requests().answered(response.status().as_u16());
    match spoiled {
        None => response,
        Some(how) => {
            let (head, body) = response.into_parts();
            // The body was made here a moment ago, reading it cannot fail.
            let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
            spoil(Response::from_parts(head, Body::empty()), body, how)
        }
    }
}
