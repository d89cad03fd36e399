-- Who builds the planes that carry the most passengers on long routes? Three tables.
select p.manufacturer,
       count(distinct p.tailnum) as planes,
       count(*) as flights,
       sum(p.seats) as seats_flown,
       min(p.year) as oldest
from flights f
join planes p on p.tailnum = f.tailnum
join airlines a on a.carrier = f.carrier
where f.distance > 1000 and a.name like '%Air%' and f.dep_time is not null
group by p.manufacturer
having count(*) > 100
order by seats_flown desc, p.manufacturer;
