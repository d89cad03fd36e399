-- The ten days with the most lost hours, with the day of the week and the distance to New Year: date arithmetic.
select (date '2013-01-01' + (interval '1 month' * (month - 1)) + (interval '1 day' * (day - 1)))::date as date,
       extract(dow from time_hour)::int as weekday_utc,
       count(*) as flights,
       round(sum(arr_delay) / 60.0, 1) as hours_lost,
       date '2014-01-01' - (date '2013-01-01' + (interval '1 month' * (month - 1)) + (interval '1 day' * (day - 1)))::date
           as days_left
from flights
where extract(hour from time_hour) between 12 and 23
group by 1, 2, 5
order by hours_lost desc nulls last, date
limit 10;
