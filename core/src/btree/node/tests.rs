use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn leaf(size: usize, lower: &[u8], upper: Option<&[u8]>) -> Vec<u8> {
    let mut page = vec![0; size];
    NodeMut::init(&mut page, Shape::Leaf, lower, upper).unwrap();
    page
}

fn view(page: &[u8]) -> Node<'_, [u8]> {
    Node::new(page)
}

/// Inserts; true if there was room and the key was absent.
fn insert(page: &mut [u8], key: &[u8]) -> bool {
    let position = view(page).search(key);
    assert!(!position.found);
    NodeMut::new(page).insert(position.at, key, None).unwrap()
}

fn keys(page: &[u8]) -> Vec<Vec<u8>> {
    (0..view(page).count()).map(|i| view(page).key(i)).collect()
}

#[test]
fn fences_share_their_prefix_with_every_key() {
    let mut page = leaf(512, b"user/100", Some(b"user/200"));
    assert!(insert(&mut page, b"user/150"));
    assert!(insert(&mut page, b"user/100"));
    assert!(insert(&mut page, b"user/1"[..].iter().chain(b"99").copied().collect::<Vec<_>>().as_slice()));
    view(&page).check().unwrap();
    assert_eq!(keys(&page), [b"user/100", b"user/150", b"user/199"]);
    assert_eq!(view(&page).used(), 16 + 3 * (SLOT + 3));
    assert!(view(&page).covers(b"user/100") && !view(&page).covers(b"user/200"));
    assert_eq!(view(&page).search(b"zebra"), Position { at: 3, found: false });
    assert_eq!(view(&page).search(b"ape"), Position { at: 0, found: false });
    assert_eq!(view(&page).search(b"us"), Position { at: 0, found: false });
}

#[test]
fn flags_and_next_survive_a_split() {
    let mut page = leaf(352, b"", None);
    for i in 0..8u8 {
        assert!(insert(&mut page, &[b'a', i * 2]));
    }
    let mut node = NodeMut::new(&mut page);
    node.mark_dead().unwrap();
    node.set_next(Some(PageId(77))).unwrap();
    let split = view(&page).choose_split(&[b'a', 5]).unwrap();
    let (mut left, mut right) = (vec![0; 352], vec![0; 352]);
    view(&page).split_into(&mut left, &mut right, &split).unwrap();
    for half in [&left, &right] {
        view(half).check().unwrap();
        assert!(view(half).may_hold_dead());
        assert_eq!(view(half).next(), Some(PageId(77)));
    }
    assert_eq!(view(&left).upper(), Some(split.separator.clone()));
    assert_eq!(view(&right).lower(), split.separator);
    let mut whole = vec![0; 352];
    view(&left).merge_into(view(&right), &mut whole).unwrap();
    view(&whole).check().unwrap();
    assert_eq!(keys(&whole), keys(&page));
}

#[test]
fn growing_ends_leave_full_nodes_behind() {
    let (mut up, mut down) = (leaf(1024, b"", None), leaf(1024, b"", None));
    let mut i = 0u32;
    while insert(&mut up, &i.to_be_bytes()) {
        i += 1;
    }
    let split = view(&up).choose_split(&i.to_be_bytes()).unwrap();
    assert!(split.at + 1 >= view(&up).count(), "{split:?}");
    let mut i = u32::MAX;
    while insert(&mut down, &i.to_be_bytes()) {
        i -= 1;
    }
    let split = view(&down).choose_split(&i.to_be_bytes()).unwrap();
    assert!(split.at <= 1, "{split:?}");
}

#[test]
fn separators_are_short_and_balanced() {
    let mut page = leaf(4096, b"", None);
    for i in 0..60u32 {
        let key = format!("{:03}-{}", i * 7919 % 1000, "x".repeat(30));
        assert!(insert(&mut page, key.as_bytes()));
    }
    let split = view(&page).choose_split(b"5").unwrap();
    assert!(split.separator.len() <= 3, "{split:?}");
    assert!(split.at.abs_diff(30) <= 5, "{split:?}");
}

#[test]
fn longest_keys_always_split() {
    for size in [352usize, 700, 4096, 16384] {
        let longest = max_key_len(size);
        let key = |tag: u8| {
            let mut key = vec![b'k'; longest];
            key[longest - 1] = tag;
            key
        };
        // Fences as long as they get, so that the node holds as little as it ever will.
        let mut page = leaf(size, &key(0), Some(&vec![255; longest]));
        let mut tag = 1;
        while insert(&mut page, &key(tag)) {
            tag += 1;
        }
        assert!(tag > 1);
        let split = view(&page).choose_split(&key(tag)).unwrap();
        let (mut left, mut right) = (vec![0; size], vec![0; size]);
        view(&page).split_into(&mut left, &mut right, &split).unwrap();
        view(&left).check().unwrap();
        view(&right).check().unwrap();
        let home = if split.separator <= key(tag) { &mut right } else { &mut left };
        assert!(insert(home, &key(tag)), "size {size}");
    }
}

#[test]
fn unlike_long_keys_split_until_they_fit() {
    let size = 700;
    let longest = max_key_len(size);
    let mut page = leaf(size, &vec![1; longest], Some(&vec![250; longest]));
    assert!(insert(&mut page, &vec![100; longest]));
    for newcomer in [vec![50; longest], vec![150; longest]] {
        assert!(!view(&page).has_room(&newcomer));
        let split = view(&page).choose_split(&newcomer).unwrap();
        let (mut left, mut right) = (vec![0; size], vec![0; size]);
        view(&page).split_into(&mut left, &mut right, &split).unwrap();
        let home = if split.separator <= newcomer { &mut right } else { &mut left };
        assert_eq!(view(home).count(), 0);
        assert!(insert(home, &newcomer));
    }
}

#[test]
fn inner_nodes_route_by_separators() {
    let mut page = vec![0; 700];
    let mut node = NodeMut::init(&mut page, Shape::Inner, b"b", Some(b"x")).unwrap();
    node.push(b"b", Some(PageId(1))).unwrap();
    node.finish().unwrap();
    for (key, child) in [(b"m", 3), (b"f", 2), (b"t", 4)] {
        let at = view(&page).search(key).at;
        assert!(NodeMut::new(&mut page).insert(at, key, Some(PageId(child))).unwrap());
    }
    view(&page).check().unwrap();
    for (key, child) in [("b", 1), ("ez", 1), ("f", 2), ("g", 2), ("m", 3), ("s", 3), ("t", 4), ("w", 4)] {
        assert_eq!(view(&page).route(key.as_bytes()).unwrap().1, PageId(child), "{key}");
    }
    let split = view(&page).choose_split(b"").unwrap();
    let (mut left, mut right) = (vec![0; 700], vec![0; 700]);
    view(&page).split_into(&mut left, &mut right, &split).unwrap();
    let (l, r) = (view(&left), view(&right));
    l.check().unwrap();
    r.check().unwrap();
    assert_eq!(r.lower(), split.separator);
    assert_eq!(l.count() + r.count(), 4);
    assert_eq!(r.child(0), view(&page).child(split.at));
    let mut whole = vec![0; 700];
    l.merge_into(r, &mut whole).unwrap();
    view(&whole).check().unwrap();
    assert_eq!(view(&whole).used(), l.used_with(r));
    assert_eq!(keys(&whole), keys(&page));
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Vec<u8>),
    Remove(usize),
    Split,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..24),
        prop::collection::vec(0u8..3, 0..10),
        (0u32..300).prop_map(|i| format!("customer/{i:05}").into_bytes()),
        (0u8..40).prop_map(|n| vec![0; usize::from(n)]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => key().prop_map(Op::Insert),
        4 => any::<usize>().prop_map(Op::Remove),
        1 => Just(Op::Split),
    ]
}

proptest! {
    #[test]
    fn node_behaves_like_a_set(size in 352usize..1600, ops in prop::collection::vec(op(), 1..300)) {
        let mut page = leaf(size, b"", None);
        let mut model = BTreeSet::new();
        for op in ops {
            match op {
                Op::Insert(key) => {
                    if key.len() > max_key_len(size) || !view(&page).covers(&key) {
                        continue;
                    }
                    let position = view(&page).search(&key);
                    prop_assert_eq!(position.found, model.contains(&key));
                    prop_assert_eq!(position.at, model.range::<Vec<u8>, _>(..&key).count());
                    if !position.found {
                        let room = view(&page).has_room(&key);
                        let done = NodeMut::new(&mut page).insert(position.at, &key, None).unwrap();
                        prop_assert_eq!(room, done);
                        if done {
                            model.insert(key);
                        } else {
                            // Keep the half that the key belongs to and go on in it.
                            let split = view(&page).choose_split(&key).unwrap();
                            let (mut left, mut right) = (vec![0; size], vec![0; size]);
                            view(&page).split_into(&mut left, &mut right, &split).unwrap();
                            view(&left).check().unwrap();
                            view(&right).check().unwrap();
                            // Less if the prefix was shortened for a key that is gone.
                            prop_assert!(view(&left).used_with(view(&right)) <= view(&page).used());
                            let mut above = model.split_off(&split.separator);
                            if split.separator <= key {
                                std::mem::swap(&mut model, &mut above);
                                page = right;
                            } else {
                                page = left;
                            }
                        }
                    }
                }
                Op::Remove(i) => {
                    if let Some(key) = model.iter().nth(i % model.len().max(1)).cloned() {
                        let position = view(&page).search(&key);
                        prop_assert!(position.found);
                        NodeMut::new(&mut page).remove(position.at).unwrap();
                        model.remove(&key);
                    }
                }
                Op::Split if model.len() > 4 => {
                    let split = view(&page).choose_split(b"").unwrap();
                    let (mut left, mut right) = (vec![0; size], vec![0; size]);
                    view(&page).split_into(&mut left, &mut right, &split).unwrap();
                    let mut whole = vec![0; size];
                    view(&left).merge_into(view(&right), &mut whole).unwrap();
                    prop_assert_eq!(keys(&whole), keys(&page));
                    page = whole;
                }
                Op::Split => {}
            }
            view(&page).check().unwrap();
            prop_assert_eq!(keys(&page), model.iter().cloned().collect::<Vec<_>>());
        }
    }

    #[test]
    fn hostile_bytes_do_no_harm(
        mut page in prop::collection::vec(any::<u8>(), 0..700),
        tame: bool,
        key in prop::collection::vec(any::<u8>(), 0..20),
        at in 0usize..20,
    ) {
        if tame && page.len() > SLOTS {
            // Plausible lengths reach further into the code.
            page[COUNT + 1] = 0;
            page[HEAP_TOP + 1..HEAP_TOP + 4].copy_from_slice(&[1, 0, 0]);
            page[WASTE + 1..WASTE + 4].fill(0);
            page[PREFIX_LEN + 1] = 0;
            page[LOWER_LEN + 1] = 0;
            page[UPPER_LEN + 1] = 0;
        }
        let node = view(&page);
        let _ = (node.search(&key), node.route(&key), node.check(), node.covers(&key), node.used_with(node));
        let _ = (node.key(at), node.upper(), node.used(), node.has_room(&key));
        let (mut left, mut right) = (page.clone(), page.clone());
        if let Ok(split) = node.choose_split(&key) {
            let _ = node.split_into(&mut left, &mut right, &split);
        }
        let _ = node.merge_into(node, &mut left);
        let _ = NodeMut::new(&mut right).remove(at);
        let _ = NodeMut::new(&mut right).insert(at, &key, None);
        let _ = NodeMut::new(&mut page).insert(at, &key, Some(PageId(1)));
        let _ = NodeMut::new(&mut page).push(&key, None);
    }
}
