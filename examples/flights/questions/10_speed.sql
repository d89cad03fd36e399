-- The fastest pairs of airport and airline among routes flown every week, and airlines that flew to no such place.
select f.origin, d.name as destination, a.name as airline,
       count(*) as flights,
       round(avg(60.0 * f.distance / f.air_time), 1) as miles_an_hour
from flights f
join airports d on d.faa = f.dest
join airlines a on a.carrier = f.carrier
where f.air_time is not null
group by f.origin, d.name, a.name
having count(*) >= 52
union all
select 'any', 'nowhere', a.name, 0, null
from airlines a
where a.carrier not in (select carrier from flights group by carrier, origin, dest having count(*) >= 52)
order by miles_an_hour desc nulls last, origin, destination, airline
limit 15;
