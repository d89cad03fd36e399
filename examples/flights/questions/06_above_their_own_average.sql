-- Where do old planes arrive two hours later than the airline's average? A correlated subquery and EXISTS.
select d.name as airport, count(*) as late_flights
from flights f
join airports d on d.faa = f.dest
where f.arr_delay > 120 + (select avg(g.arr_delay) from flights g where g.carrier = f.carrier and g.origin = f.origin)
  and exists (select 1 from planes p where p.tailnum = f.tailnum and p.year < 1995)
group by d.name
order by late_flights desc, airport
limit 10;
