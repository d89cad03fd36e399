//! Scripts of several statements, and parameters.

use crate::{
    parser::{is_complete, parse, statements},
    sqlstate::SqlState,
};

/// The texts of a script's statements; a mistake is marked.
fn split(sql: &str) -> Vec<String> {
    let items = statements(sql);
    items.map(|i| format!("{}{}", if i.statement.is_ok() { "" } else { "! " }, &sql[i.range])).collect()
}

#[test]
fn statements_are_split() {
    assert_eq!(split(""), [""; 0]);
    assert_eq!(split(" ; ;; -- nothing\n /* at ; all */ ;"), [""; 0]);
    assert_eq!(split("select 1"), ["select 1"]);
    assert_eq!(split("select 1; select 2 ; -- end"), ["select 1", "select 2"]);
    assert_eq!(
        split("select ';', \";\", $$;$$, $a$;$$;$a$, e'\\';' /* ; /* ; */ ; */ -- ;\n; commit"),
        ["select ';', \";\", $$;$$, $a$;$$;$a$, e'\\';'", "commit"]
    );
    assert_eq!(
        split("selec 1; select 2; select 'open; select 3"),
        ["! selec 1", "select 2", "! select 'open; select 3"]
    );
    assert_eq!(split("select 1abc; select 2"), ["! select 1abc", "select 2"]);
    assert_eq!(split("'open"), ["! 'open"]);
}

#[test]
fn positions_count_in_the_whole_text() {
    let sql = "select 'é';\n  select x y z";
    let items: Vec<_> = statements(sql).collect();
    let first = items[1].statement.as_ref().expect_err("a mistake");
    assert_eq!(first.position(), Some(26));
    let parsed = parse("select 'é';\n  select x").expect("two statements");
    assert_eq!((parsed[1].position, parsed[1].range.clone()), (15, 15..23));
    assert_eq!(parse(sql).expect_err("a mistake").position(), Some(26));
}

#[test]
fn the_data_of_a_copy_can_be_skipped() {
    let sql = "copy t from stdin;\n1\t'\n\\.\nselect 1";
    let mut script = statements(sql);
    assert!(script.next().is_some_and(|item| item.statement.is_ok()));
    assert_eq!(&sql[script.offset()..], "\n1\t'\n\\.\nselect 1");
    script.skip_to(sql.find("select").expect("it is there"));
    assert_eq!(&sql[script.next().expect("a statement").range], "select 1");
    assert!(script.next().is_none());
}

#[test]
fn completeness_is_seen() {
    for complete in
        ["", "  -- x", "select 1;", "select 1; ;", "select ';' ; -- x", "/* x */", "selec;", "select 1);"]
    {
        assert!(is_complete(complete), "{complete}");
    }
    for incomplete in [
        "select 1",
        "select 1; select",
        "select ';",
        "select $$;",
        "select \";",
        "/* ;",
        "select (1;",
        "select '';'",
    ] {
        assert!(!is_complete(incomplete), "{incomplete}");
    }
}

#[test]
fn parameters_get_numbers() {
    let parameters = |sql: &str| {
        let p = parse(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}")).remove(0).parameters;
        (p.count, p.names.join(","))
    };
    assert_eq!(parameters("select 1"), (0, String::new()));
    assert_eq!(parameters("select $2, $1, $2"), (2, String::new()));
    assert_eq!(parameters("select ?, ? limit ? offset ?"), (4, String::new()));
    assert_eq!(parameters("select :a, $b, :A, $a::int, x=:c"), (3, "a,b,c".to_owned()));
    assert_eq!(parameters("select a=?,b<?,c between ? and ?, d in (?,?), -?"), (7, String::new()));
    assert_eq!(parameters("insert into t values (?, ?), (?, ?) returning ?"), (5, String::new()));
    assert_eq!(parameters("update t set a=?, b = ? where c like ? escape ?"), (4, String::new()));
    assert_eq!(parameters("select case when ? then ? else ? end"), (3, String::new()));
    // What looks like a parameter and is none.
    assert_eq!(parameters("select '? :a $1', \"?\", a::int, $$?$$ -- ? :a"), (0, String::new()));
    assert_eq!(parameters("select a ? 'b', (a) ?| b, 'a' ?& b, c @? d"), (0, String::new()));
    assert_eq!(parameters("select f(a := 1)"), (0, String::new()));
    assert_eq!(parameters("select ? ? ?"), (2, String::new()));
    let named = parse("select :x, :y").expect("a statement").remove(0).parameters;
    assert_eq!((named.number("y"), named.number("z")), (Some(2), None));
}

#[test]
fn wrong_parameters_are_refused() {
    for (sql, state, position) in [
        ("select $1, ?", SqlState::SYNTAX_ERROR, 12),
        ("select ?, :a", SqlState::SYNTAX_ERROR, 11),
        ("select $a, $1", SqlState::SYNTAX_ERROR, 12),
        ("select $0", SqlState::UNDEFINED_PARAMETER, 8),
    ] {
        let error = parse(sql).expect_err(sql);
        assert_eq!((error.sqlstate(), error.position()), (state, Some(position)), "{sql}");
    }
    // An array slice's colon is not a parameter's, so this fails for another reason.
    assert_eq!(parse("select a[1:b]").expect_err("no arrays").sqlstate(), SqlState::FEATURE_NOT_SUPPORTED);
}
