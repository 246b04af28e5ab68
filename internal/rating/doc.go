// Package rating is the domain: what an evaluation of a government service is, and the rules that the regulation
// (甘肃省政务服务"好差评"管理办法(试行), 甘政办发〔2021〕60号) sets for it. Article numbers in the comments are that text's.
//
// Everything here is a value or a pure function. The package imports nothing of ours, so that the box, the centre and
// the tools can share it without sharing anything else.
//
// A Record is what the box's log holds: a visit that was opened, an evaluation, the reason of one, the outcome of a visit, or
// an audit event. Its identity is (device, epoch, seq) and its Prev is the hash of the record before it, so a log is a chain
// in which nothing can be dropped, inserted or changed unnoticed. The bytes that Encode returns are the record: they are
// stored, sent and hashed as they are, and never marshalled a second time.
//
// CheckVisit says which rule of the regulation a visit contradicts as it stands; Contest which of several evaluations counts,
// wherever they were given; and History both over any number of visits, cases and channels. The centre's books keep to
// History, evaluation by evaluation.
package rating

// RulesVersion is the version of the rules by which the centre's books say what counts. It grows with each change of what
// they would say of the same records, and the books are then made anew.
const RulesVersion = 7
