-- The statistics of an analysed expression as those of a column of an index.
insert into pg_statistic (
       starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct, stakind1, stakind2,
       stakind3, stakind4, stakind5, staop1, staop2, staop3, staop4, staop5, stacoll1, stacoll2,
       stacoll3, stacoll4, stacoll5, stanumbers1, stanumbers2, stanumbers3, stanumbers4, stanumbers5,
       stavalues1, stavalues2, stavalues3, stavalues4, stavalues5
)
select
       %(index)s, %(place)s, false, stanullfrac, stawidth, %(keys)s, stakind1, stakind2, stakind3,
       stakind4, stakind5, staop1, staop2, staop3, staop4, staop5, stacoll1, stacoll2, stacoll3,
       stacoll4, stacoll5, stanumbers1, stanumbers2, stanumbers3, stanumbers4, stanumbers5,
       stavalues1, stavalues2, stavalues3, stavalues4, stavalues5
  from pg_statistic
 where starelid = 'pitstop_sample.expression'::regclass
