// Package upgrade puts a newer package of the box's programs in the place of the one that runs, and the one before back if the box is not
// well with it.
//
// It runs as root, by "ratingctl update" and the unit haochaping-update. The daemon has no right to change anything: it can only ask for a
// version, by a file that is not believed further than that. Packages come from an apt repository by apt itself, signed by a key that
// is pinned in a folder of root's; what is not newer is refused. dpkg installs them.
//
// Invariant: while anything is changed, a file says what (keptfile), and both packages are on the disk. Whatever moment the power is cut,
// the next run takes up the file: dpkg finishes what it began, or the package is installed again, the new one or the one before. Programs
// are replaced by renaming, so the daemon that starts meanwhile is one of the two.
//
// Failure: without a package of the version before there is no update. A box that is not well within ten minutes gets it back, and does not
// try that version again. It does not look at opening hours; who asks says for how long an installation may begin.
package upgrade
