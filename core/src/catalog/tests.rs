use super::*;
use crate::table::RowKey;
use crate::types::DataType;

fn table(oid: u32, name: &str, indexes: &[(u32, &str)]) -> TableEntry {
    let column =
        |name: &str| ColumnEntry { name: name.into(), ty: DataType::Integer, not_null: false, default: None };
    TableEntry {
        oid: ObjectId(oid),
        storage: ObjectId(oid),
        schema: PUBLIC_SCHEMA.into(),
        name: name.into(),
        kind: TableKind::Base,
        columns: vec![column("a"), column("b")],
        checks: Vec::new(),
        indexes: indexes
            .iter()
            .map(|&(oid, name)| IndexEntry {
                oid: ObjectId(oid),
                name: name.into(),
                columns: vec![IndexColumn { column: 0, descending: false, nulls_first: false }],
                unique: true,
                primary: false,
                constraint: false,
            })
            .collect(),
        row_key: RowKey::Hidden,
        statistics: None,
    }
}

#[test]
fn names_are_found_along_the_path_and_by_schema() {
    let catalog = Catalog::new("db").with_table(table(10, "t", &[(11, "t_a")])).unwrap();
    assert_eq!(catalog.table(None, "t").unwrap().oid, ObjectId(10));
    assert_eq!(catalog.table(Some("public"), "t").unwrap().oid, ObjectId(10));
    assert_eq!(catalog.index(None, "t_a").unwrap().0.oid, ObjectId(11));
    let error = |result: Result<ObjectId>| {
        let error = result.unwrap_err();
        format!("{} {error}", error.sqlstate().0)
    };
    let find = |schema, name| catalog.table(schema, name).map(|table| table.oid);
    assert_eq!(error(find(None, "u")), "42P01 relation \"u\" does not exist");
    assert_eq!(error(find(Some("pg_catalog"), "t")), "42P01 relation \"pg_catalog.t\" does not exist");
    assert_eq!(error(find(None, "t_a")), "42809 \"t_a\" is an index");
    let find = |name| catalog.index(None, name).map(|(index, _)| index.oid);
    assert_eq!(error(find("t")), "42809 \"t\" is not an index");
    assert_eq!(error(find("x")), "42704 index \"x\" does not exist");
}

#[test]
fn a_changed_table_replaces_itself_and_frees_its_old_names() {
    let first = Catalog::new("db").with_table(table(10, "t", &[(11, "t_a"), (12, "t_b")])).unwrap();
    let second = first.with_table(table(10, "u", &[(11, "t_a")])).unwrap();
    assert!(first.get(None, "t").is_some() && first.get(None, "t_b").is_some());
    assert!(second.get(None, "t").is_none() && second.get(None, "t_b").is_none());
    assert_eq!(second.table(None, "u").unwrap().indexes.len(), 1);
    assert!(second.version() > first.version());
    assert!(second.without_table(ObjectId(10)).get(None, "t_a").is_none());
    let clash = second.with_table(table(20, "t_a", &[])).unwrap_err();
    assert_eq!(clash.to_string(), "relation \"t_a\" already exists");
}

#[test]
fn made_up_names_are_cut_and_numbered() {
    let catalog = Catalog::new("db").with_table(table(10, "t", &[(11, "t_a_key")])).unwrap();
    let choose = |table: &str, column: &str, label: &str| {
        catalog.choose_name("public", table, column, label, |_| false)
    };
    assert_eq!(choose("t", "", "pkey"), "t_pkey");
    assert_eq!(choose("t", "a", "key"), "t_a_key1");
    let long = choose(&"x".repeat(60), &"y".repeat(40), "idx");
    assert_eq!(long, format!("{}_{}_idx", "x".repeat(29), "y".repeat(29)));
}
