use super::{bind_text, catalog_of};

#[test]
#[ignore]
fn print() {
    let catalog = catalog_of(&std::fs::read_to_string("/work/shared/bench/tpch/schema.sql").unwrap());
    for n in 1..=22 {
        let sql = std::fs::read_to_string(format!("/work/shared/bench/tpch/queries/q{n:02}.sql")).unwrap();
        let sql = sql;
        match bind_text(&catalog, &sql) {
            Ok(bound) => match bound.statement {
                super::BoundStatement::Query(query) => println!("-- q{n}\n{}", query.plan.display(&query.columns)),
                _ => (),
            },
            Err(error) => println!("-- q{n}\n{}", super::shown(&error)),
        }
    }
}
