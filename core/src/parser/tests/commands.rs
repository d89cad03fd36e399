//! Statements whose grammar is written by hand.

use super::kind;
use crate::parser::ast::*;

fn names(idents: &[Ident]) -> Vec<&str> {
    idents.iter().map(|i| i.name.as_str()).collect()
}

#[test]
fn tables_are_created() {
    let StatementKind::CreateTable(table) = kind(
        "create table if not exists s.t (
            a int constraint pk primary key,
            b varchar(10) not null default 'x' || 'y' collate \"C\" unique nulls not distinct,
            c numeric default case when true then null else 1 end not null check (c > 0) null,
            d timestamp default current_timestamp not deferrable,
            exclude text,
            constraint u unique (a, b), check (a < c and (b is null)), primary key (a, c))",
    ) else {
        panic!("no table")
    };
    assert!(table.if_not_exists);
    let kinds = |column: usize| -> Vec<String> {
        let kind = |c: &ColumnConstraint| match &c.kind {
            ColumnConstraintKind::Default(e) => format!("default {}", e.text),
            ColumnConstraintKind::Check(e) => format!("check {}", e.text),
            other => format!("{other:?}"),
        };
        table.columns[column].constraints.iter().map(kind).collect()
    };
    assert_eq!(kinds(0), ["PrimaryKey"]);
    assert_eq!(table.columns[0].constraints[0].name.as_ref().map(|n| n.name.as_str()), Some("pk"));
    assert_eq!(kinds(1), ["NotNull", "default 'x' || 'y'", "Unique { nulls_not_distinct: true }"]);
    assert!(table.columns[1].collation.is_some());
    assert_eq!(kinds(2), ["default case when true then null else 1 end", "NotNull", "check c > 0", "Null"]);
    assert_eq!(kinds(3), ["default current_timestamp"]);
    assert_eq!(table.columns[4].name.name, "exclude");
    assert!(
        matches!(&table.constraints[0].kind, TableConstraintKind::Unique { columns, .. } if names(columns) == ["a", "b"])
    );
    assert!(
        matches!(&table.constraints[1].kind, TableConstraintKind::Check(e) if e.text == "a < c and (b is null)")
    );
    assert!(
        matches!(&table.constraints[2].kind, TableConstraintKind::PrimaryKey(columns) if names(columns) == ["a", "c"])
    );
}

#[test]
fn tables_are_created_from_queries() {
    let StatementKind::CreateTableAs(table) = kind("create table t (x, y) as select 1, 2 with no data")
    else {
        panic!("no table")
    };
    assert_eq!((names(&table.columns), table.with_data), (vec!["x", "y"], false));
    let StatementKind::CreateTableAs(table) = kind("create table t as values (1) with data") else {
        panic!("no table")
    };
    assert!(table.with_data);
}

#[test]
fn indexes_are_created() {
    let StatementKind::CreateIndex(index) = kind(
        "create unique index if not exists i on s.t using btree (a desc nulls last, lower(b), (a + 1) asc nulls first) include (c) nulls not distinct where a > 1",
    ) else {
        panic!("no index")
    };
    assert!(index.unique && index.if_not_exists && index.nulls_not_distinct);
    let texts: Vec<_> = index.columns.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(texts, ["a", "lower(b)", "a + 1"]);
    let orders: Vec<_> = index.columns.iter().map(|c| (c.item.descending, c.item.nulls)).collect();
    assert_eq!(orders, [(true, NullsOrder::Last), (false, NullsOrder::Default), (false, NullsOrder::First)]);
    assert_eq!(index.filter.as_ref().map(|f| f.text.as_str()), Some("a > 1"));
    let StatementKind::CreateIndex(index) = kind("create index on t (a)") else { panic!("no index") };
    assert_eq!(index.name, None);
}

#[test]
fn objects_are_dropped_and_emptied() {
    let StatementKind::DropTable(drop) = kind("drop table if exists a, s.b cascade") else {
        panic!("no drop")
    };
    assert_eq!((drop.names.len(), drop.if_exists, drop.behavior), (2, true, DropBehavior::Cascade));
    let StatementKind::DropIndex(drop) = kind("drop index i restrict") else { panic!("no drop") };
    assert_eq!((drop.if_exists, drop.behavior), (false, DropBehavior::Restrict));
    let StatementKind::Truncate(truncate) = kind("truncate table only a, b restart identity cascade") else {
        panic!("no truncate")
    };
    assert!(truncate.tables.len() == 2 && truncate.restart_identity);
}

#[test]
fn transactions_are_controlled() {
    let modes = |isolation, access, deferrable| TransactionModes { isolation, access, deferrable };
    let serializable = modes(Some(IsolationLevel::Serializable), Some(AccessMode::ReadOnly), Some(true));
    let none = TransactionModes::default();
    for (sql, expected) in [
        ("begin", StatementKind::Begin(Begin { modes: none, start: false })),
        ("begin work", StatementKind::Begin(Begin { modes: none, start: false })),
        ("start transaction", StatementKind::Begin(Begin { modes: none, start: true })),
        (
            "begin isolation level serializable, read only deferrable",
            StatementKind::Begin(Begin { modes: serializable, start: false }),
        ),
        (
            "set transaction isolation level read uncommitted",
            StatementKind::SetTransaction(modes(Some(IsolationLevel::ReadUncommitted), None, None)),
        ),
        (
            "set session characteristics as transaction read write, not deferrable",
            StatementKind::SetCharacteristics(modes(None, Some(AccessMode::ReadWrite), Some(false))),
        ),
        ("commit", StatementKind::Commit { chain: false }),
        ("end transaction and chain", StatementKind::Commit { chain: true }),
        ("rollback work and no chain", StatementKind::Rollback { chain: false }),
        ("abort", StatementKind::Rollback { chain: false }),
        ("checkpoint", StatementKind::Checkpoint),
        ("discard all", StatementKind::DiscardAll),
    ] {
        assert_eq!(kind(sql), expected, "{sql}");
    }
    for (sql, expected) in [
        ("savepoint A", "a"),
        ("release b", "b"),
        ("release savepoint savepoint", "savepoint"),
        ("rollback to c", "c"),
        ("rollback transaction to savepoint \"D\"", "D"),
    ] {
        match kind(sql) {
            StatementKind::Savepoint(name)
            | StatementKind::Release(name)
            | StatementKind::RollbackTo(name) => {
                assert_eq!(name.name, expected);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn settings_are_set_and_shown() {
    let set = |sql: &str| match kind(sql) {
        StatementKind::Set(set) => {
            let values = set.values.map(|v| v.into_iter().map(|v| v.text).collect::<Vec<_>>().join("|"));
            (set.scope, set.name.name, values)
        }
        other => panic!("{other:?}"),
    };
    let expect =
        |scope, name: &str, values: Option<&str>| (scope, name.to_owned(), values.map(str::to_owned));
    assert_eq!(set("set x = 1"), expect(SetScope::Session, "x", Some("1")));
    assert_eq!(set("SET LOCAL A.B TO 'X', On, -1.5"), expect(SetScope::Local, "a.b", Some("X|on|-1.5")));
    assert_eq!(set("set session x to default"), expect(SetScope::Session, "x", None));
    assert_eq!(set("set time zone 'UTC'"), expect(SetScope::Session, "timezone", Some("UTC")));
    assert_eq!(set("set local time zone local"), expect(SetScope::Local, "timezone", None));
    assert_eq!(set("set names 'utf8'"), expect(SetScope::Session, "client_encoding", Some("utf8")));
    let name = |sql: &str| match kind(sql) {
        StatementKind::Show(name) | StatementKind::Reset(name) => name.map(|n| n.name),
        other => panic!("{other:?}"),
    };
    assert_eq!(name("show all"), None);
    assert_eq!(name("show transaction isolation level").as_deref(), Some("transaction_isolation"));
    assert_eq!(name("show time zone").as_deref(), Some("timezone"));
    assert_eq!(name("reset a.b").as_deref(), Some("a.b"));
}

#[test]
fn statements_are_prepared() {
    let statements =
        crate::parser::parse("prepare p (int, numeric(1, 2)) as select $1, $3").expect("a statement");
    assert_eq!(statements[0].parameters.count, 0);
    let StatementKind::Prepare(prepare) = &statements[0].kind else { panic!("no prepare") };
    assert_eq!((prepare.types.len(), prepare.parameters.count), (2, 3));
    assert_eq!(prepare.text, "select $1, $3");
    let StatementKind::Execute(execute) = kind("execute p (1, f(2, 3), 'x')") else { panic!("no execute") };
    assert_eq!(execute.arguments.len(), 3);
    assert_eq!(kind("deallocate prepare all"), StatementKind::Deallocate(Deallocate::All));
    assert!(
        matches!(kind("deallocate prepare"), StatementKind::Deallocate(Deallocate::Name(n)) if n.name == "prepare")
    );
}

#[test]
fn plans_are_explained() {
    let StatementKind::Explain(explain) = kind(
        "explain (analyze, verbose on, costs off, timing 0, format 'yaml') insert into t default values",
    ) else {
        panic!("no explain")
    };
    assert!(explain.analyze && explain.verbose && !explain.costs);
    assert_eq!((explain.timing, explain.buffers, explain.format), (Some(false), None, ExplainFormat::Yaml));
    assert!(matches!(*explain.statement, StatementKind::Insert(_)));
    let StatementKind::Explain(explain) = kind("explain analyze verbose (select 1)") else {
        panic!("no explain")
    };
    assert!(explain.analyze && explain.verbose && explain.costs);
    assert!(matches!(kind("explain ((select 1))"), StatementKind::Explain(_)));
    let parameters = crate::parser::parse("explain select $1").expect("a statement").remove(0).parameters;
    assert_eq!(parameters.count, 1);
}

#[test]
fn copies_are_read() {
    let copy = |sql: &str| match kind(sql) {
        StatementKind::Copy(copy) => *copy,
        other => panic!("{other:?}"),
    };
    let new = copy(
        "copy s.t (a, b) from stdin (format csv, header match, force_null (a), force_quote *, delimiter e'\\t', null 'x', freeze false) where a > 1",
    );
    assert_eq!((new.direction, &new.target), (CopyDirection::From, &CopyTarget::Client));
    let columns = |list: &CopyColumns| match list {
        CopyColumns::None => "none".to_owned(),
        CopyColumns::All => "all".to_owned(),
        CopyColumns::These(columns) => names(columns).join(","),
    };
    let o = &new.options;
    assert_eq!((o.format, o.header, o.freeze), (CopyFormat::Csv, CopyHeader::Match, false));
    assert_eq!((o.delimiter.as_deref(), o.null.as_deref()), (Some("\t"), Some("x")));
    assert_eq!((columns(&o.force_null), columns(&o.force_quote)), ("a".to_owned(), "all".to_owned()));
    assert!(new.filter.is_some());

    let old = copy(
        "copy t from '/f' with csv header delimiter as ';' null '' quote '!' escape '#' force not null a, b",
    );
    let o = &old.options;
    assert_eq!(
        (o.format, o.header, columns(&o.force_not_null)),
        (CopyFormat::Csv, CopyHeader::Present, "a,b".to_owned())
    );
    assert_eq!((o.quote.as_deref(), o.escape.as_deref()), (Some("!"), Some("#")));
    assert_eq!(old.target, CopyTarget::File("/f".to_owned()));

    let query = copy("copy (select 1 union select 2) to stdout");
    assert!(matches!(query.source, CopySource::Query(_)));
    assert_eq!(copy("copy t to 'x' (format parquet)").options.format, CopyFormat::Parquet);
    assert_eq!(copy("copy binary t to 'x'").options.format, CopyFormat::Binary);
    assert_eq!(copy("copy t to stdout using delimiters '|'").options.delimiter.as_deref(), Some("|"));
}

#[test]
fn maintenance_is_read() {
    let StatementKind::Analyze(analyze) = kind("analyze verbose a, s.b (c, d)") else { panic!("no analyze") };
    assert!(analyze.verbose && analyze.tables.len() == 2 && analyze.tables[1].1.len() == 2);
    assert!(matches!(kind("analyze"), StatementKind::Analyze(a) if a.tables.is_empty()));
    let vacuum = |sql: &str| match kind(sql) {
        StatementKind::Vacuum(vacuum) => vacuum,
        other => panic!("{other:?}"),
    };
    assert_eq!(vacuum("vacuum").options, VacuumOptions::default());
    let all = VacuumOptions { full: true, freeze: true, verbose: true, analyze: true };
    assert_eq!(vacuum("vacuum full freeze verbose analyze t (a)").options, all);
    let some = vacuum("vacuum (full false, analyze, parallel 2) a, b");
    assert_eq!((some.options.full, some.options.analyze, some.tables.len()), (false, true, 2));
}
