// Package enrol lets boxes in: it is the centre's certificate authority, the door at which boxes ask for certificates, and who has asked.
//
// The door speaks EST (RFC 7030). A box that nobody knows gets a code instead of a certificate; an administrator who sees the same code and
// check digits on its screen accepts it for a window, which is an enrolment of the fleet like any other, and the box then gets its
// certificate by asking again. A box with a certificate renews it by itself. A revoked certificate opens nothing any more: the door asks
// the table, brokers are told by Revoked, and those elsewhere by the list of the authority.
//
// Whoever holds the box's TLS key can be it at the broker; what it writes counts only with the key for records, which a request proves too.
package enrol
