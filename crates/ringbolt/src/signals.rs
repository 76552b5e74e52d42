//! Signals: the first asks for an end, the second makes one, SIGHUP asks for the certificate again.

use std::pin::pin;
use std::process;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The code of an end that did not wait.
const CUT_SHORT: i32 = 1;
/// Who signals a process and then its group, as timeout(1) does, means one signal.
const ECHO: Duration = Duration::from_millis(100);

/// The signals that we listen to.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From now on signals do not end the process by themselves.
    ///
    /// # Errors
    /// If the system does not let us.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until an end is asked for.
    pub(crate) async fn end(&mut self, hung_up: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => hung_up(),
            }
        }
    }

    /// Waits until an end is asked for again, and makes one. What is unfinished is in the store.
    pub(crate) async fn end_at_once(mut self) {
        let mut echo = pin!(tokio::time::sleep(ECHO));
        loop {
            tokio::select! {
                () = &mut echo => break,
                () = self.end(|| {}) => {}
            }
        }
        self.end(|| {}).await;
        tracing::warn!("ended at once by a second signal");
        process::exit(CUT_SHORT);
    }
}
