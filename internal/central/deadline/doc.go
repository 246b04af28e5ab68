// Package deadline is what article 14 makes of silence: one reminder after 24 hours, and 基本满意 by default for the matter after five working
// days.
//
// A default is a row of the journal of its own kind, which says that a deadline has passed; no row says that anybody was satisfied. Whether
// it stands follows in the books from what was answered before the deadline, however late that arrives. So the job may run late, twice or
// after days of standstill and comes to the same: it takes every completed case whose deadline has passed and is not noted yet, which one
// comparison of the begin of the period finds (rating.Calendar.Overdue). A deadline that rests on a year without its notice is not passed
// before the notice is known.
//
// A reminder is noted before the gateway is asked, so that it is sent once at most, whatever fails. Numbers are ciphertexts of the journal,
// are read for the sending alone, and stand in no log. Who has stopped is known by a keyed hash.
//
// One instance works at a time (a lease). It waits for the books first. The room owns the tables of who has stopped, of the requests that
// were sent, of the replies to them, and of when each unit was rated by which channel. A reply is bound to the request that was sent, and
// never by a guess.
package deadline
