-- Do planes leave late in bad weather? Four tables, joined by airport and hour.
select case when w.visib < 1 then 'fog' when w.precip > 0.1 then 'rain' when w.wind_speed > 25 then 'wind' else 'fair' end
           as weather,
       count(*) as flights,
       round(avg(f.dep_delay), 2) as minutes_late,
       round(100.0 * sum(case when f.dep_delay > 60 then 1 else 0 end) / count(*), 2) as percent_over_an_hour
from flights f
join weather w on w.origin = f.origin and w.time_hour = f.time_hour
join airports d on d.faa = f.dest
join airlines a on a.carrier = f.carrier
where f.dep_delay is not null
group by 1
order by minutes_late desc;
