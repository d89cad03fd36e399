-- Which airlines fly the most, how far, and how late do they arrive?
select a.name as airline,
       count(*) as flights,
       count(distinct f.dest) as destinations,
       sum(f.distance) as miles,
       round(avg(f.arr_delay), 2) as minutes_late
from flights f
join airlines a on a.carrier = f.carrier
group by a.name
order by flights desc, airline
limit 8;
