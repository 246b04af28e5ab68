// Package paper is the pages on which forms that citizens filled in on paper are printed, entered, and imported (article 13).
//
// A form counts when two people have read the same on it. Nobody sees what another has entered, so that the second looks at the form and
// not at the screen. Who enters is shown with the answer; who is rated does not enter.
package paper
