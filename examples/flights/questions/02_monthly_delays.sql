-- How do delays and cancellations change over the year at each airport?
select origin,
       month,
       count(*) as flights,
       count(*) - count(dep_time) as cancelled,
       round(avg(dep_delay), 1) as minutes_late,
       max(dep_delay) as worst
from flights
group by origin, month
order by origin, month;
