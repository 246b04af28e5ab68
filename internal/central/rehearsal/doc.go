// Package rehearsal plays the past months of an organisation into a centre that is empty, for demonstrations and lessons.
//
// All goes the way of the real thing: boxes sign batches of records, business systems tell of cases, phones and portals rate, silence is
// looked for, people work on the orders that follow, and offices order to mend and publish results; each row of the journal is made by the
// room that makes it otherwise. Only the clock is its own: whoever opens the rooms gives them Clock, which stands where the play is. What
// was played is no test of the product, and a centre that has worked is never played into.
//
// Nobody that it names exists.
package rehearsal
