use super::{catalog_of, query_of};

#[test]
#[ignore]
fn print() {
    let catalog = catalog_of(&std::fs::read_to_string("/work/shared/bench/tpch/schema.sql").unwrap());
    for n in 1..=22 {
        let sql = std::fs::read_to_string(format!("/work/shared/bench/tpch/queries/q{n:02}.sql")).unwrap();
        let query = query_of(&catalog, &sql);
        println!("-- q{n}\n{}", query.plan.display(&query.columns));
    }
}
