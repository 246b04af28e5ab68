// Package report says what the ratings say (articles 19 to 22): day and month aggregates, and the figures that come from them.
//
// # What is counted
//
// Visits, for the person who served (article 14: 每次到窗口办理后均可对服务人员进行一次评价), and cases, for the matter (事项办结后可对服务事项进行一次评价). Each is a fact
// (fact.go): on which day and where it was, whether it was to be rated, and by which answer it was, by silence, or not at all. A case
// counts on the day of its completion, whenever it was answered, so that those who were asked and those who answered are the same. The
// parts of orders are facts of their own (orders.go).
//
// A fact is a pure function of what the books say now. It knows where a box stood by the box's own words and not by the organisation, which
// is looked up when somebody asks (place.go): so a window that has moved leaves what was before to whoever had it then, and an organisation
// that is put right moves no aggregate.
//
// # How aggregates follow
//
// Once (follow.go) goes on in the journal's rows as far as the books are made, in the books' feed of decisions, and in what was done about
// orders. It believes nothing of what these say but the names: each visit, case and order that they name is looked at, and its fact
// compared with the one that is in the aggregates; what differs is taken out and put in, in one transaction with the place up to which was
// looked. So looking twice changes nothing, what counts later counts, and a restart goes on. Other books (a rebuild's) are walked through
// from the first row, and what is not in them any more is taken out at the end. Rebuild empties the tables; the same comes out.
//
// # Bundles
//
// A province has 50,000 windows, and a year of them by channel is millions of rows. So posts that lie in one hall with one unit's business
// make a bundle (bundle.go), whose days and months are added up once more, in a row each. That is for speed alone: which posts are in which
// bundle follows the organisation within a minute, is exact at each moment, and decides nothing. A sum (sumbundle.go) takes a bundle where
// all of its posts are asked for and stand in one row, takes out those that moved meanwhile, and else reads post by post.
//
// # Failure
//
// While books or database are away the aggregates stay as they were, and the pages say up to when they are. What this package does not do:
// it does not know who may see what. Its callers ask account.May of each place.
//
// Months of halls (month.go) are the one thing that is kept and not made anew: who runs a hall must not see one change, since the
// difference would be an answer.
package report
