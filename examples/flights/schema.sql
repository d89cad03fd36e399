-- The tables of nycflights13: every flight that left New York in 2013, with the weather, planes, airports and airlines.
create table airlines (
    carrier text primary key,
    name text not null
);
create table airports (
    faa text primary key,
    name text not null,
    lat double precision not null,
    lon double precision not null,
    alt integer not null,
    tz smallint not null,
    dst text not null,
    tzone text
);
create table planes (
    tailnum text primary key,
    year smallint,
    type text not null,
    manufacturer text not null,
    model text not null,
    engines smallint not null,
    seats smallint not null,
    speed smallint,
    engine text not null
);
create table weather (
    origin text not null,
    year smallint not null,
    month smallint not null,
    day smallint not null,
    hour smallint not null,
    temp numeric(8, 3),
    dewp numeric(8, 3),
    humid numeric(8, 3),
    wind_dir smallint,
    wind_speed double precision,
    wind_gust double precision,
    precip numeric(6, 3),
    pressure numeric(8, 3),
    visib numeric(8, 3),
    time_hour timestamptz not null
);
create table flights (
    year smallint not null,
    month smallint not null,
    day smallint not null,
    dep_time smallint,
    sched_dep_time smallint not null,
    dep_delay integer,
    arr_time smallint,
    sched_arr_time smallint not null,
    arr_delay integer,
    carrier text not null,
    flight integer not null,
    tailnum text,
    origin text not null,
    dest text not null,
    air_time smallint,
    distance integer not null,
    hour smallint not null,
    minute smallint not null,
    time_hour timestamptz not null
);
