use super::*;
#[test]
#[ignore]
fn oracle() {
    let catalog = catalog();
    for line in std::fs::read_to_string("/tmp/pgbinder/cases.sql").unwrap().lines() {
        let line = line.trim();
        if line.is_empty() { continue; }
        println!("{line}");
        match bind_text(&catalog, line) {
            Err(error) => println!("  = {}", shown(&error)),
            Ok(bound) => match bound.statement {
                BoundStatement::Query(query) => {
                    let columns: Vec<String> = query.output.iter().map(|c| format!("{} {}", c.name, c.ty)).collect();
                    let ps: Vec<String> = bound.parameters.iter().map(|p| p.name().to_string()).collect();
                    let ps = if ps.is_empty() { String::new() } else { format!(" <- {}", ps.join(", ")) };
                    println!("  = {}{ps}", columns.join(", "));
                }
                _ => println!("  = ok"),
            },
        }
    }
}
