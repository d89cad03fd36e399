use super::*;
use crate::transaction::{Cancel, RowLockMode as R, TableLockMode as T};
use crate::vfs::SystemClock;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::Duration;

/// Long enough for anything that is not a lost wake-up; that then shows as 55P03.
const LONG: Duration = Duration::from_secs(60);

fn switch() -> Arc<Cancel> {
    Cancel::new(Arc::new(SystemClock))
}

fn patience(cancel: &Cancel) -> Patience<'_> {
    Patience { cancel, lock_timeout: Some(LONG), weight: 0 }
}

fn database() -> (Arc<StatusTable>, Arc<Locks>) {
    let statuses = Arc::new(StatusTable::default());
    (Arc::clone(&statuses), Locks::new(statuses))
}

fn key(row: u64) -> RowKey {
    RowKey { table: ObjectId(1), row: RowId(row) }
}

fn commit(statuses: &StatusTable, id: TransactionId, ts: u64) {
    statuses.committing(id);
    statuses.committed(id, Timestamp(ts));
}

/// Returns when `count` requests wait.
fn until_waiting(locks: &Locks, count: usize) {
    while locks.entries().iter().filter(|entry| !entry.granted).count() != count {
        thread::yield_now();
    }
}

/// Takes the turn of a row, then waits for its writer.
fn wait(
    locker: &mut Locker,
    key: RowKey,
    writer: TransactionId,
    turn: &mut Option<RowTurn>,
    cancel: &Cancel,
) -> Result<()> {
    if turn.is_none() {
        locker.wait_for_writer(key, writer, turn, &patience(cancel))?;
    }
    locker.wait_for_writer(key, writer, turn, &patience(cancel))
}

fn state<T: fmt::Debug>(result: Result<T>) -> &'static str {
    result.unwrap_err().sqlstate().0
}

#[test]
fn an_ended_transaction_is_not_waited_for() {
    let (statuses, locks) = database();
    let cancel = switch();
    let mut locker = locks.locker();
    let committed = statuses.begin().unwrap();
    commit(&statuses, committed, 3);
    let aborted = statuses.begin().unwrap();
    statuses.abort(aborted);
    let cases = [(committed, Ended::Committed(Timestamp(3))), (aborted, Ended::Aborted)];
    for (id, expected) in cases {
        assert_eq!(locker.wait_for_end(id, &patience(&cancel)).unwrap(), expected);
    }
    statuses.release(aborted);
    assert_eq!(locker.wait_for_end(aborted, &patience(&cancel)).unwrap(), Ended::Forgotten);
    assert_eq!(locks.entries(), []);
}

#[test]
fn all_who_wait_for_a_transaction_wake_at_its_end() {
    let (statuses, locks) = database();
    let id = statuses.begin().unwrap();
    let mut owner = locks.locker();
    owner.assign(id);
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..5)
            .map(|_| {
                let mut locker = locks.locker();
                scope.spawn(move || locker.wait_for_end(id, &patience(&switch())).unwrap())
            })
            .collect();
        until_waiting(&locks, 5);
        commit(&statuses, id, 8);
        owner.end_transaction();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ended::Committed(Timestamp(8)));
        }
    });
    assert_eq!(locks.entries(), []);
}

#[test]
fn waiters_of_a_row_take_turns_in_order_of_arrival() {
    const WAITERS: u64 = 6;
    let (statuses, locks) = database();
    let writer = AtomicU64::new(statuses.begin().unwrap().0);
    let first = TransactionId(writer.load(Ordering::SeqCst));
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..WAITERS {
            let mut locker = locks.locker();
            let (statuses, writer, order) = (&statuses, &writer, &order);
            scope.spawn(move || {
                let id = statuses.begin().unwrap();
                locker.assign(id);
                let mut turn = None;
                loop {
                    let current = TransactionId(writer.load(Ordering::SeqCst));
                    let ended = !statuses.status(current).in_progress();
                    let free = ended
                        && writer
                            .compare_exchange(current.0, id.0, Ordering::SeqCst, Ordering::SeqCst)
                            .is_ok();
                    if free {
                        break;
                    }
                    wait(&mut locker, key(1), current, &mut turn, &switch()).unwrap();
                }
                drop(turn);
                order.lock().push(number);
                commit(statuses, id, number + 10);
                locker.end_transaction();
            });
            // One waits for the writer, the others for their turn.
            until_waiting(&locks, number as usize + 1);
        }
        statuses.abort(first);
        locks.finish(first);
    });
    assert_eq!(order.into_inner(), (0..WAITERS).collect::<Vec<_>>());
    assert_eq!(locks.entries(), []);
}

#[test]
fn a_wait_ends_when_its_time_is_over() {
    let (statuses, locks) = database();
    let id = statuses.begin().unwrap();
    let (mut holder, mut locker) = (locks.locker(), locks.locker());
    assert!(holder.try_lock_row(key(1), R::Update));
    let cancel = switch();
    let short = Patience { lock_timeout: Some(Duration::from_millis(5)), ..patience(&cancel) };
    assert_eq!(state(locker.wait_for_end(id, &short)), "55P03");
    assert_eq!(state(locker.lock_row(key(1), R::Share, &short)), "55P03");
    cancel.start_statement(Some(Duration::from_millis(5)));
    let error = locker.lock_row(key(1), R::Share, &patience(&cancel)).unwrap_err();
    assert_eq!(error.to_string(), "canceling statement due to statement timeout");
    drop(holder);
    assert_eq!(locks.entries(), []);
}

#[test]
fn a_partial_rollback_wakes_waiters_once() {
    let (statuses, locks) = database();
    let id = statuses.begin().unwrap();
    let mut writer = locks.locker();
    writer.assign(id);
    thread::scope(|scope| {
        let mut locker = locks.locker();
        let waiter = scope.spawn(move || {
            let mut turn = None;
            wait(&mut locker, key(1), id, &mut turn, &switch()).unwrap();
            // The row is not free: it waits again.
            wait(&mut locker, key(1), id, &mut turn, &switch()).unwrap();
        });
        until_waiting(&locks, 1);
        writer.rolled_back_partly();
        until_waiting(&locks, 1);
        assert!(!waiter.is_finished());
        statuses.abort(id);
        writer.end_transaction();
        waiter.join().unwrap();
    });
    assert_eq!(locks.entries(), []);
}

#[test]
fn a_wait_ends_by_request() {
    let (statuses, locks) = database();
    let id = statuses.begin().unwrap();
    let cancel = switch();
    thread::scope(|scope| {
        let (mut locker, cancel) = (locks.locker(), &cancel);
        let waiter = scope.spawn(move || state(locker.wait_for_end(id, &patience(cancel))));
        until_waiting(&locks, 1);
        cancel.cancel();
        assert_eq!(waiter.join().unwrap(), "57014");
    });
    assert_eq!(locks.entries(), []);
}

#[test]
fn giving_up_passes_the_turn_on() {
    let (statuses, locks) = database();
    let id = statuses.begin().unwrap();
    let cancel = switch();
    thread::scope(|scope| {
        let (mut first, cancel) = (locks.locker(), &cancel);
        let cancelled = scope.spawn(move || {
            let mut turn = None;
            state(wait(&mut first, key(1), id, &mut turn, cancel))
        });
        until_waiting(&locks, 1);
        let mut second = locks.locker();
        let served = scope.spawn(move || {
            let mut turn = None;
            wait(&mut second, key(1), id, &mut turn, &switch()).unwrap();
        });
        until_waiting(&locks, 2);
        cancel.cancel();
        assert_eq!(cancelled.join().unwrap(), "57014");
        until_waiting(&locks, 1);
        statuses.abort(id);
        locks.finish(id);
        served.join().unwrap();
    });
    assert_eq!(locks.entries(), []);
}

#[test]
fn row_locks_exclude_by_mode() {
    let (_, locks) = database();
    let (mut one, mut two) = (locks.locker(), locks.locker());
    for held in R::ALL {
        for wanted in R::ALL {
            assert!(one.try_lock_row(key(1), held));
            let excluded = ROW_CONFLICTS[held as usize] & set_of(wanted as u8) != 0;
            assert_eq!(two.row_is_locked(key(1), wanted), excluded);
            assert!(!two.row_is_locked(key(2), wanted) && !one.row_is_locked(key(1), wanted));
            assert_eq!(two.try_lock_row(key(1), wanted), !excluded, "{wanted:?} beside {held:?}");
            one.end_transaction();
            two.end_transaction();
        }
    }
    assert_eq!(locks.entries(), []);
}

#[test]
fn going_back_to_a_mark_keeps_what_was_held_there() {
    let (_, locks) = database();
    let (mut one, mut two) = (locks.locker(), locks.locker());
    assert!(one.try_lock_row(key(1), R::Share));
    let mark = one.mark();
    assert!(one.try_lock_row(key(1), R::KeyShare), "covered by what is held");
    assert!(one.try_lock_row(key(1), R::Update));
    assert!(one.try_lock_row(key(2), R::Update));
    assert!(one.try_lock_table(ObjectId(1), T::AccessExclusive));
    assert!(!two.try_lock_row(key(1), R::Share) && !two.try_lock_table(ObjectId(1), T::AccessShare));
    one.release_to(mark);
    assert!(two.try_lock_row(key(2), R::Update) && two.try_lock_table(ObjectId(1), T::AccessShare));
    assert!(two.try_lock_row(key(1), R::Share) && !two.try_lock_row(key(1), R::NoKeyUpdate));
    one.end_transaction();
    assert!(two.try_lock_row(key(1), R::NoKeyUpdate));
    drop(two);
    assert_eq!(locks.entries(), []);
}

#[test]
fn shards_spread() {
    let mut used = vec![0_u32; SHARDS as usize];
    for row in 0..10_240 {
        used[Resource::Row(key(row)).shard()] += 1;
    }
    assert!(used.iter().all(|&count| count < 40), "10 a shard on average");
    let mut used = vec![0_u32; SHARDS as usize];
    for generation in 0..10_240 {
        used[Resource::End(TransactionId(generation << 16 | 5)).shard()] += 1;
    }
    assert!(used.iter().all(|&count| count < 40), "10 a shard on average");
}

/// How a party of a deadlock waits for the next one.
#[derive(Clone, Copy, Debug)]
enum Link {
    Row,
    Table,
    End,
}

/// Each party holds something and then wants what its right neighbour holds. Returns who had to give up.
fn circle(links: &[Link], weights: &[u64]) -> Vec<usize> {
    let (statuses, locks) = database();
    let start = Barrier::new(links.len());
    let ids: Vec<_> = links.iter().map(|_| statuses.begin().unwrap()).collect();
    let victims = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (number, &link) in links.iter().enumerate() {
            let mut locker = locks.locker();
            let (statuses, start, ids, victims, parties) = (&statuses, &start, &ids, &victims, links.len());
            let weight = weights[number];
            scope.spawn(move || {
                let cancel = switch();
                let patience = Patience { weight, ..patience(&cancel) };
                locker.assign(ids[number]);
                locker.lock_row(key(number as u64), R::Update, &patience).unwrap();
                locker.lock_table(ObjectId(number as u32), T::RowExclusive, &patience).unwrap();
                start.wait();
                let next = (number + 1) % parties;
                let wait = match link {
                    Link::Row => locker.lock_row(key(next as u64), R::KeyShare, &patience),
                    Link::Table => locker.lock_table(ObjectId(next as u32), T::Share, &patience),
                    Link::End => locker.wait_for_end(ids[next], &patience).map(|_| ()),
                };
                if let Err(error) = wait {
                    assert_eq!(error.sqlstate().0, "40P01");
                    let detail = error.detail().unwrap().to_owned();
                    assert_eq!(detail.lines().count(), parties, "{detail}");
                    assert!(detail.starts_with(&format!("Process {} waits for", locker.id())), "{detail}");
                    victims.lock().push(number);
                }
                statuses.abort(ids[number]);
                locker.end_transaction();
            });
        }
    });
    assert_eq!(locks.entries(), []);
    victims.into_inner()
}

#[test]
fn a_deadlock_costs_one_party() {
    for parties in 2..=5 {
        for round in 0..40 {
            let kinds = [Link::Row, Link::Table, Link::End];
            let links: Vec<_> = (0..parties).map(|at| kinds[(at * round + round / 3) % 3]).collect();
            let victims = circle(&links, &vec![0; parties]);
            assert_eq!(victims.len(), 1, "{links:?}");
        }
    }
}

#[test]
fn the_party_with_least_undo_pays() {
    for parties in 2..=5 {
        for cheapest in 0..parties {
            let weights: Vec<u64> = (0..parties).map(|at| if at == cheapest { 1 } else { 9 }).collect();
            assert_eq!(circle(&vec![Link::End; parties], &weights), [cheapest]);
        }
    }
}

/// The first waits behind the third for a turn, the third for the second's end, the second for the first's.
#[test]
fn a_turn_is_part_of_a_circle() {
    for _ in 0..50 {
        let (statuses, locks) = database();
        let ids = [0, 1, 2].map(|_| statuses.begin().unwrap());
        let party = |number: usize, row: u64, other: usize| {
            let mut locker = locks.locker();
            let statuses = &statuses;
            move || {
                locker.assign(ids[number]);
                let mut turn = None;
                let wait = wait(&mut locker, key(row), ids[other], &mut turn, &switch());
                statuses.abort(ids[number]);
                locker.end_transaction();
                drop(turn);
                wait.inspect_err(|error| assert_eq!(error.sqlstate().0, "40P01")).is_err()
            }
        };
        let victims: usize = thread::scope(|scope| {
            let third = scope.spawn(party(2, 0, 1));
            until_waiting(&locks, 1);
            let others = [scope.spawn(party(0, 0, 1)), scope.spawn(party(1, 1, 0))];
            let parties = others.into_iter().chain([third]);
            parties.map(|party| usize::from(party.join().unwrap())).sum()
        });
        // If the third gives up, the first has its turn and is in a circle with the second.
        assert!((1..=2).contains(&victims), "{victims}");
        assert_eq!(locks.entries(), []);
    }
}

/// A few numbers that depend on the seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Random transactions over few rows and tables. Exclusive holders change a pair of numbers that must never be
/// seen unequal; nobody may sleep for ever; victims start again.
#[test]
fn random_transactions_exclude_each_other_and_all_finish() {
    const THREADS: u64 = 6;
    const ROUNDS: u64 = 400;
    const ROWS: u64 = 4;
    let (statuses, locks) = database();
    let rows: Vec<[AtomicU64; 2]> = (0..ROWS).map(|_| Default::default()).collect();
    let tables: Vec<[AtomicU64; 2]> = (0..2).map(|_| Default::default()).collect();
    let victims = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let mut locker = locks.locker();
            let (statuses, rows, tables, victims) = (&statuses, &rows, &tables, &victims);
            scope.spawn(move || {
                let cancel = switch();
                let mut dice = Dice(thread + 1);
                let write = |pair: &[AtomicU64; 2]| {
                    let before = pair[0].load(Ordering::Relaxed);
                    assert_eq!(before, pair[1].load(Ordering::Relaxed));
                    pair[0].store(before + 1, Ordering::Relaxed);
                    thread::yield_now();
                    pair[1].store(before + 1, Ordering::Relaxed);
                };
                let read = |pair: &[AtomicU64; 2]| {
                    let before = pair[0].load(Ordering::Relaxed);
                    assert_eq!(before, pair[1].load(Ordering::Relaxed));
                };
                for _ in 0..ROUNDS {
                    let id = statuses.begin().unwrap();
                    locker.assign(id);
                    let mut step = || -> Result<()> {
                        let mut patience = patience(&cancel);
                        patience.weight = dice.roll(3);
                        let row = dice.roll(ROWS);
                        let table = dice.roll(2);
                        match dice.roll(5) {
                            0 => {
                                locker.lock_row(key(row), R::Update, &patience)?;
                                write(&rows[row as usize]);
                            }
                            1 => {
                                locker.lock_row(key(row), R::Share, &patience)?;
                                read(&rows[row as usize]);
                            }
                            2 if dice.roll(8) == 0 => {
                                locker.lock_table(ObjectId(table as u32), T::AccessExclusive, &patience)?;
                                write(&tables[table as usize]);
                            }
                            2 | 3 => {
                                locker.lock_table(ObjectId(table as u32), T::AccessShare, &patience)?;
                                read(&tables[table as usize]);
                            }
                            _ => {
                                let mark = locker.mark();
                                if locker.try_lock_row(key(row), R::NoKeyUpdate) {
                                    write(&rows[row as usize]);
                                }
                                locker.release_to(mark);
                            }
                        }
                        Ok(())
                    };
                    let outcome = (0..4).try_for_each(|_| step());
                    if let Err(error) = outcome {
                        assert_eq!(error.sqlstate().0, "40P01", "{error:?}");
                        victims.fetch_add(1, Ordering::Relaxed);
                    }
                    statuses.abort(id);
                    locker.end_transaction();
                    statuses.release(id);
                }
            });
        }
    });
    assert!(victims.load(Ordering::Relaxed) > 0, "the mix is meant to deadlock now and then");
    assert_eq!(locks.entries(), []);
}

/// Many writers of one row: each takes it by an exchange, as versions are, and waits where it is taken.
#[test]
fn a_hot_row_is_written_by_all() {
    const THREADS: u64 = 6;
    const ROUNDS: u64 = 1_500;
    let (statuses, locks) = database();
    let writer = AtomicU64::new(0);
    let inside = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let mut locker = locks.locker();
            let (statuses, writer, inside, written) = (&statuses, &writer, &inside, &written);
            scope.spawn(move || {
                let cancel = switch();
                for round in 0..ROUNDS {
                    let id = statuses.begin().unwrap();
                    locker.assign(id);
                    let mut turn = None;
                    loop {
                        let current = TransactionId(writer.load(Ordering::SeqCst));
                        if !statuses.status(current).in_progress()
                            && writer
                                .compare_exchange(current.0, id.0, Ordering::SeqCst, Ordering::SeqCst)
                                .is_ok()
                        {
                            break;
                        }
                        if current != id {
                            locker.wait_for_writer(key(0), current, &mut turn, &patience(&cancel)).unwrap();
                        }
                    }
                    drop(turn);
                    assert!(!inside.swap(true, Ordering::SeqCst), "one writer at a time");
                    if round % 16 == 0 {
                        thread::yield_now();
                    }
                    written.fetch_add(1, Ordering::SeqCst);
                    inside.store(false, Ordering::SeqCst);
                    statuses.abort(id);
                    locker.end_transaction();
                    statuses.release(id);
                }
            });
        }
    });
    assert_eq!(written.load(Ordering::SeqCst), THREADS * ROUNDS);
    assert_eq!(locks.entries(), []);
}
