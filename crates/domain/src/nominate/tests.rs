use super::*;

/// Members drawn as words: `a:P` primary, `b:S` secondary, `c:H` hidden, `d:A` arbiter, `e:D` delayed, `f:X` in STARTUP2;
/// `-30` behind it: seconds of lag; `!`: unreachable; `?`: applied unknown.
fn members(drawn: &str) -> Vec<MemberState> {
    drawn.split_whitespace().map(member).collect()
}

fn member(drawn: &str) -> MemberState {
    let (host, state) = drawn.split_once(':').expect("host:state");
    let lag: u32 = state.split_once('-').map_or(0, |(_, lag)| lag.trim_end_matches('!').parse().expect("a lag"));
    MemberState {
        host: host.to_owned(),
        role: match &state[..1] {
            "P" => MemberRole::Primary,
            "A" => MemberRole::Arbiter,
            "X" => MemberRole::Other("STARTUP2".to_owned()),
            _ => MemberRole::Secondary,
        },
        hidden: matches!(&state[..1], "H" | "D"),
        delay_seconds: if state.starts_with('D') { 3_600 } else { 0 },
        healthy: !state.contains('!'),
        applied: (!state.contains('?') && !state.starts_with('A')).then(|| OplogTime::new(10_000 - lag, 1)),
    }
}

#[test]
fn the_best_members_come_first() {
    for (drawn, expected) in [
        ("", ""),
        ("a:P", "a"),
        ("a:P b:S", "b a"),
        ("a:S b:P", "a b"),
        ("a:P b:S c:H", "c b a"),
        ("a:H b:S c:P", "a b c"),
        ("a:P b:S c:S", "b c a"),
        ("a:P c:S b:S", "b c a"),
        ("a:P b:S-5 c:S", "c b a"),
        ("a:P b:S c:H-20", "c b a"),
        ("a:P b:S c:H-21", "c b a"),
        ("a:P b:S c:H-22", "b a"),
        ("a:P b:S-22 c:S-100", "a"),
        ("a:P b:S! c:H!", "a"),
        ("a:P b:A", "a"),
        ("a:P b:A c:A", "a"),
        ("a:P b:D c:S", "c a"),
        ("a:P b:D", "a"),
        ("a:X b:S", "b"),
        ("a:X", ""),
        ("a:A b:D", ""),
        ("a:P! b:S c:S-1", "b c"),
        ("a:P! b:S!", ""),
        ("a:P b:S?", "a"),
        ("a:P? b:S", "b"),
        ("a:P? b:S?", ""),
        // Without a primary the lag counts from the most advanced member.
        ("b:S-40 c:S-50 d:H-70", "b c"),
        // An unreachable member's last word does not make the others laggards.
        ("a:P! b:S-100 c:H-101", "c b"),
        ("a:H b:H", "a b"),
        ("b:H-1 a:H-2", "b a"),
        ("z:H a:P b:P-0", "z a b"),
        ("a:S-21 b:P", "a b"),
    ] {
        let nomination = nominate(&members(drawn), LAG_SECONDS_MAX);
        assert_eq!(nomination.candidates.join(" "), expected, "{drawn}");
        assert_eq!(nomination.chosen(), expected.split_whitespace().next(), "{drawn}");
        assert_eq!(nomination.members.len(), members(drawn).len(), "every member gets a verdict: {drawn}");
    }
}

#[test]
fn every_member_is_told_why() {
    let nomination = nominate(&members("a:P b:S c:H d:A e:D f:X g:S-30 h:S! i:S?"), LAG_SECONDS_MAX);
    assert_eq!(
        nomination.to_string(),
        "a: could do it, another is preferred; b: could do it, another is preferred; c: chosen; d: not asked: it is an arbiter and has no data; \
         e: not asked: it is 3600 s delayed by its configuration; f: not asked: it is in state STARTUP2; \
         g: not asked: it is 30 s behind, more than 21 s; h: not asked: it cannot be reached; \
         i: not asked: how far it has replicated is unknown"
    );
}

#[test]
fn the_lag_bound_is_an_argument() {
    let chosen = |lag_seconds_max| nominate(&members("a:P b:S-5"), lag_seconds_max).candidates.join(" ");
    assert_eq!((chosen(4), chosen(5), chosen(0)), ("a".to_owned(), "b a".to_owned(), "a".to_owned()));
}

#[test]
fn the_order_in_which_members_are_listed_does_not_matter() {
    let mut all = members("a:P b:S c:H d:S-3 e:H-1");
    let expected = nominate(&all, LAG_SECONDS_MAX).candidates;
    for _ in 0..all.len() {
        all.rotate_left(1);
        assert_eq!(nominate(&all, LAG_SECONDS_MAX).candidates, expected);
    }
}
