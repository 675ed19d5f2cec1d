# (start, stop] rows of customers with awkward moments, as tmerge of the survival package cuts them.
# Run from the root of the repository: Rscript tests/golden/tmerge.R

source("tests/golden/common.R")

customers <- read.csv(text = "
id,entry,exit,event,what
1,0,30,1,no moment
2,0,30,1,one moment
3,0,30,1,three moments on one day
4,0,30,1,a moment on the day of entry
5,0,30,1,a moment on the day of exit
6,0,30,0,a moment on the day of exit without an event
7,0,30,1,the grade changes twice on a day
8,0,30,1,the grade changes twice on a day and is as before in the end
9,0,30,1,moments on neighbouring days
10,10,30,1,moments before and on the day of a late entry
11,10,30,1,a moment the day after a late entry
12,0,1,1,one day with moments at both ends
13,0,30,1,a moment the day before exit
14,5,6,0,one day after a late entry with moments before it
15,0,30,1,moments after exit
16,0,30,0,the same grade again and again
")

# In the order in which they happened: of two on a day the later comes last.
moments <- read.csv(text = "
id,day,grade
2,12,bad
3,12,bad
3,12,bad
3,12,neutral
4,0,bad
4,7,good
5,30,bad
6,30,bad
7,12,bad
7,12,good
8,5,good
8,12,bad
8,12,good
9,12,bad
9,13,bad
9,14,good
10,3,bad
10,9,bad
10,10,good
10,20,bad
11,11,bad
12,0,bad
12,1,bad
13,29,bad
14,2,bad
14,4,bad
14,5,bad
15,10,good
15,31,bad
15,40,bad
16,3,bad
16,3,bad
16,10,bad
16,20,bad
")

bad <- moments[moments$grade == "bad", ]
rows <- tmerge(customers[c("id", "event")], customers, id = id, tstart = entry, tstop = exit, left = event(exit, event))
rows <- tmerge(rows, moments, id = id, contacts = cumtdc(day), last_grade = tdc(day, grade, "none"))
counted <- attr(rows, "tcount")
rows <- tmerge(rows, bad, id = id, bad = cumtdc(day), ever_bad = tdc(day))
# a moment as an event ends a row on its day
ended <- tmerge(rows, bad, id = id, bad_here = event(day), bad_events = cumevent(day))

flat <- function(rows, columns) {
  rows <- rows[order(rows$id, rows$tstart), columns]
  rows[] <- lapply(rows, function(x) if (is.numeric(x)) as.integer(x) else as.character(x))
  rows
}
of_states <- c("id", "tstart", "tstop", "left", "contacts", "bad", "ever_bad", "last_grade")
save(customers, "robust/tmerge_customers.csv")
save(moments, "robust/tmerge_moments.csv")
save(flat(rows, of_states), "robust/tmerge_states.csv")
save(flat(ended, c(of_states, "bad_here", "bad_events")), "robust/tmerge_events.csv")
save(data.frame(operation = rownames(counted), as.data.frame(unclass(counted)), row.names = NULL), "robust/tmerge_counts.csv")
