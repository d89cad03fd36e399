-- Planes that left two New York airports on one day: a self-join with a common table expression.
with moves as (
    select tailnum, month, day, origin, min(sched_dep_time) as first, count(*) as flights
    from flights
    where tailnum is not null and dep_time is not null
    group by tailnum, month, day, origin
)
select one.origin as morning, two.origin as evening, count(*) as days, count(distinct one.tailnum) as planes
from moves one
join moves two on two.tailnum = one.tailnum and two.month = one.month and two.day = one.day
    and two.origin <> one.origin and two.first > one.first
group by one.origin, two.origin
order by days desc, morning, evening;
