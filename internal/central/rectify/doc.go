// Package rectify is the work that follows on bad evaluations and complaints (articles 8 and 15 to 18): one order for each 不满意 and 非常不满意
// that counts, with a part for each unit that handled what was rated, and one for each complaint.
//
// # The machine
//
// A part is a value; Apply is a pure function of it and an event, and refuses with words whatever Transitions does not name. Terms are the
// clocks. docs/ rectification.md is drawn from both.
//
// # Where orders come from
//
// Once follows the books' feed of decisions (follow.go). It does not believe what a decision says: it looks at how the evaluation stands in
// the books now, and brings its order in line. So a decision may be looked at twice or late, and whoever follows after a crash, a restore
// or with books made from nothing comes to the same. An order is opened when what it is about can no longer be corrected at the window,
// under a name in the journal that its evaluation alone has, so that it is one, whoever opens it. Where a rating no longer counts its parts
// lapse, unless they were answered; where it counts again they begin anew. An evaluation that came before this program first ran opens
// none.
//
// # What is kept
//
// Each act is a row of the journal, in whose transaction the tables change (enter.go); they follow from the acts alone, and Rebuild makes
// them anew. An act names the one after which it was done, so that of two officers at one order the second is told. What people say of a
// deed is a ciphertext of its row, and can be erased; so are attachments. The tables hold no words.
//
// # Clues
//
// A complaint of retaliation is a clue as a whole (Part.Secret): no list but that of clues has it, and its acts are marked as for few
// (journal.Act.Few). Who these are is for the callers to say.
//
// # What citizens are told
//
// Texts follows the acts, like the webhook, and writes short messages by the gateway of the room deadline. How far it has come is noted
// before a message goes, so that each goes once at most; what became of it is an act, which nobody who works on the order has to look at
// first.
//
// # Failure
//
// While books or database are away nothing is opened, and decisions wait in the feed. The room decides nothing about ratings, and does not
// know who may do what: its callers ask account.May.
package rectify
