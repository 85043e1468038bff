//! Tokens are not guessed quickly: guesses in, right or wrong out, after a delay for a client that was wrong
//! before.
//!
//! A client is an address. After a wrong token, each further attempt from there waits before it is checked, so
//! that hanging up early reveals nothing, and only a few may wait at a time. Neither slows down other addresses,
//! nor pages that are already open.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tokio::time::sleep;

use super::problem::{Answer, Problem};

/// How long an attempt waits that comes after a wrong one from the same address.
const DELAY: Duration = Duration::from_secs(1);

/// How long an address is remembered after a wrong attempt.
const MEMORY: Duration = Duration::from_secs(20);

/// How many attempts of one address may wait. With [`DELAY`], this is also the number of guesses per second.
const MOST_WAITING: usize = 32;

/// How many addresses are remembered; beyond that, the one whose wrong attempt is oldest is forgotten.
const MOST_CLIENTS: usize = 4096;

/// The addresses that sent wrong tokens.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, Client>>);

struct Client {
    wrong: Instant,
    waiting: usize,
}

/// Attempts that wait for their turn, or are dropped because their client hangs up.
struct Waiting<'a> {
    attempts: &'a Attempts,
    client: IpAddr,
    count: usize,
}

impl Attempts {
    /// Whether one of `guesses` is the token.
    ///
    /// # Errors
    /// If too many attempts of this client are waiting.
    pub(super) async fn try_all(
        &self,
        client: IpAddr,
        token: &str,
        guesses: &[&str],
    ) -> Answer<bool> {
        if guesses.is_empty() {
            return Ok(false);
        }
        let client = network_of(client);
        if let Some(_waiting) = self.wait(client, guesses.len())? {
            sleep(DELAY).await;
        }
        let right = guesses.iter().fold(false, |found, guess| found | is_same(token, guess));
        if !right {
            self.remember(client);
        }
        Ok(right)
    }

    /// A place to wait for each guess, or none if the client need not wait.
    fn wait(&self, client: IpAddr, count: usize) -> Answer<Option<Waiting<'_>>> {
        let mut clients = self.lock();
        clients.retain(|_, it| it.waiting > 0 || it.wrong.elapsed() < MEMORY);
        let before = clients.get_mut(&client);
        if before.as_ref().map_or(0, |it| it.waiting) + count > MOST_WAITING {
            let why = "too many wrong tokens from this address: try again later";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, why));
        }
        Ok(before.map(|it| {
            it.waiting += count;
            Waiting { attempts: self, client, count }
        }))
    }

    fn remember(&self, client: IpAddr) {
        let mut clients = self.lock();
        if clients.len() >= MOST_CLIENTS && !clients.contains_key(&client) {
            let oldest = clients.iter().filter(|(_, it)| it.waiting == 0);
            let oldest = oldest.min_by_key(|(_, it)| it.wrong).map(|(&address, _)| address);
            oldest.map(|address| clients.remove(&address));
        }
        let now = Instant::now();
        clients.entry(client).or_insert(Client { wrong: now, waiting: 0 }).wrong = now;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Client>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.attempts.lock().get_mut(&self.client) {
            client.waiting -= self.count;
        }
    }
}

/// What counts as one client: an address of IPv4, or the 64-bit network that a single user of IPv6 usually has.
fn network_of(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip => ip,
    }
}

/// Compares in constant time, so that the time reveals nothing about the secret.
pub(super) fn is_same(secret: &str, word: &str) -> bool {
    let pairs = secret.bytes().zip(word.bytes());
    secret.len() == word.len() && pairs.fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a token of this server";

    #[test]
    fn a_network_is_one_client() {
        let parse = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::2:1"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:10.0.0.1"), parse("10.0.0.1"));
        assert_ne!(parse("10.0.0.1"), parse("10.0.0.2"));
    }

    #[test]
    fn wrong_tokens_slow_down_one_address_alone() {
        let attempts = Attempts::default();
        let [hostile, other] = ["10.0.0.1", "10.0.0.2"].map(|it| it.parse::<IpAddr>().unwrap());
        attempts.remember(hostile);
        assert!(attempts.wait(other, 1).unwrap().is_none());
        let waiting: Vec<_> =
            (0..MOST_WAITING).map(|_| attempts.wait(hostile, 1).unwrap().unwrap()).collect();
        assert!(attempts.wait(hostile, 1).is_err());
        assert!(attempts.wait(other, 1).unwrap().is_none());
        drop(waiting);
        assert!(attempts.wait(hostile, 1).unwrap().is_some());
        // Many guesses in one request are as many attempts.
        assert!(attempts.wait(hostile, MOST_WAITING + 1).is_err());
        assert!(attempts.wait(other, MOST_WAITING + 1).is_err());
    }

    #[test]
    fn the_memory_is_bounded() {
        let attempts = Attempts::default();
        for number in 0..MOST_CLIENTS as u32 + 10 {
            attempts.remember(IpAddr::from(number.to_be_bytes()));
        }
        assert_eq!(attempts.lock().len(), MOST_CLIENTS);
        assert!(attempts.lock().contains_key(&IpAddr::from((MOST_CLIENTS as u32).to_be_bytes())));
    }

    #[test]
    fn the_token_is_recognized() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let attempts = Attempts::default();
        let client = "10.0.0.1".parse().unwrap();
        let found =
            |guesses: &[&str]| runtime.block_on(attempts.try_all(client, TOKEN, guesses)).unwrap();
        assert!(!found(&[]) && found(&[TOKEN]));
        assert!(!found(&["a token of this serveR"]));
        // After the delay the right one still passes, wherever it stands.
        assert!(found(&["", TOKEN]));
    }
}
