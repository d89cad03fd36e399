-- How many airports of each time zone were not served, and which is the highest of them?
select a.tz,
       count(*) as not_served,
       max(a.alt) as highest_feet,
       round(avg(a.lat)::numeric(10, 6), 3) as mean_latitude
from airports a
where not exists (select 1 from flights f where f.dest = a.faa)
group by a.tz
order by a.tz;
