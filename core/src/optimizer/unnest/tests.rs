use super::unnest;
use crate::binder::tests::{catalog_of, query_of};

#[test]
#[ignore]
fn print() {
    let catalog = catalog_of(&std::fs::read_to_string("/work/shared/bench/tpch/schema.sql").unwrap());
    for n in [2, 4, 11, 15, 16, 17, 18, 20, 21, 22] {
        let sql = std::fs::read_to_string(format!("/work/shared/bench/tpch/queries/q{n:02}.sql")).unwrap();
        let sql = sql.replace("+ interval '1' year", "").replace("+ interval '3' month", "").replace("+ interval '1' month", "").replace("substring(c_phone from 1 for 2)", "c_phone");
        let mut query = query_of(&catalog, &sql);
        let plan = unnest(query.plan, &mut query.columns).unwrap();
        println!("-- q{n}\n{}", plan.display(&query.columns));
    }
}
