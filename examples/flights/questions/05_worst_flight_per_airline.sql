-- The latest departure of every airline: a correlated subquery.
select a.name as airline, f.month, f.day, f.flight, f.origin, f.dest, f.dep_delay
from flights f
join airlines a on a.carrier = f.carrier
where f.dep_delay = (select max(g.dep_delay) from flights g where g.carrier = f.carrier)
order by f.dep_delay desc, airline;
