// Package people is the pages for whoever looks after accounts, and the audit: what people did and looked at, from the sealed journal.
//
// Who changes an account must be allowed to touch all of it (account.Objects), and nobody changes their own. What lies outside of that is
// not there: not in the list, not by its address, not in the export.
package people
