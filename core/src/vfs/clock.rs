//! Time and randomness, each with a real source and one that a test steers.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time.
pub trait Clock: Send + Sync {
    /// Wall-clock time in microseconds since 1970-01-01 UTC. It may jump; nothing orders by it.
    fn now_micros(&self) -> i64;

    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
}

/// A source of random bits.
pub trait Rng: Send + Sync {
    /// Fills `buf` with random bytes.
    fn fill(&self, buf: &mut [u8]);

    /// A random number.
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others must use")]
    fn now_micros(&self) -> i64 {
        let now = SystemTime::now();
        let micros = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        now.duration_since(UNIX_EPOCH).map_or_else(|before| -micros(before.duration()), micros)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that others must use")]
    fn monotonic(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall_micros: AtomicI64,
    monotonic_micros: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `wall_micros` since 1970-01-01 UTC.
    pub fn new(wall_micros: i64) -> Self {
        Self { wall_micros: AtomicI64::new(wall_micros), monotonic_micros: AtomicU64::new(0) }
    }

    /// Moves both kinds of time forward.
    pub fn advance(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.monotonic_micros.fetch_add(micros, Ordering::SeqCst);
        self.wall_micros.fetch_add(i64::try_from(micros).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the wall clock alone, as an administrator or NTP would.
    pub fn set_wall(&self, wall_micros: i64) {
        self.wall_micros.store(wall_micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_micros(&self) -> i64 {
        self.wall_micros.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.monotonic_micros.load(Ordering::SeqCst))
    }
}

/// The kernel's random bits, fit for keys and salts.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRng;

impl OsRng {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    fn try_fill(buf: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            match rustix::rand::getrandom(&mut buf[filled..], rustix::rand::GetRandomFlags::empty()) {
                Ok(n) => filled += n,
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    #[expect(clippy::disallowed_methods, reason = "the random device is no data file")]
    fn try_fill(buf: &mut [u8]) -> io::Result<()> {
        use std::io::Read;
        std::fs::File::open("/dev/urandom")?.read_exact(buf)
    }
}

impl Rng for OsRng {
    fn fill(&self, buf: &mut [u8]) {
        Self::try_fill(buf).expect("every supported kernel has a random source");
    }
}

/// A repeatable sequence (SplitMix64); equal seeds give equal bytes.
#[derive(Debug)]
pub struct SeededRng(AtomicU64);

impl SeededRng {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&self, bound: u64) -> u64 {
        self.next_u64() % bound
    }
}

impl Rng for SeededRng {
    fn fill(&self, buf: &mut [u8]) {
        for piece in buf.chunks_mut(8) {
            piece.copy_from_slice(&self.next_u64().to_le_bytes()[..piece.len()]);
        }
    }

    fn next_u64(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, ManualClock, OsRng, Rng, SeededRng, SystemClock};
    use std::time::Duration;

    #[test]
    fn system_clock_is_plausible() {
        assert!(SystemClock.now_micros() > 1_700_000_000_000_000);
        let first = SystemClock.monotonic();
        assert!(SystemClock.monotonic() >= first);
    }

    #[test]
    fn manual_clock_moves_when_told() {
        let clock = ManualClock::new(5);
        assert_eq!((clock.now_micros(), clock.monotonic()), (5, Duration::ZERO));
        clock.advance(Duration::from_secs(1));
        assert_eq!((clock.now_micros(), clock.monotonic()), (1_000_005, Duration::from_secs(1)));
        clock.set_wall(-1);
        assert_eq!((clock.now_micros(), clock.monotonic()), (-1, Duration::from_secs(1)));
    }

    #[test]
    fn seeds_repeat_and_the_kernel_does_not() {
        let take = |rng: &dyn Rng| {
            let mut bytes = [0; 37];
            rng.fill(&mut bytes);
            bytes
        };
        assert_eq!(take(&SeededRng::new(3)), take(&SeededRng::new(3)));
        assert_ne!(take(&SeededRng::new(3)), take(&SeededRng::new(4)));
        assert_ne!(take(&OsRng), take(&OsRng));
    }
}
