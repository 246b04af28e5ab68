package uplink

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"haochaping/internal/crash"
	"haochaping/sync/mqtt5"
)

// Stage is how far somebody has come on the way to the centre.
type Stage int

// The stages, in their order. Who failed at one has passed those before it.
const (
	StageReach     Stage = iota + 1 // the name is known and the port answers
	StageTLS                        // the broker's certificate is trusted
	StageLogin                      // the broker takes user and password
	StageSubscribe                  // the broker lets the box read its topics
	StageConfig                     // the centre's signed configuration is there
	StageAnswer                     // the centre acknowledges a record that it is sent again
	StageTell                       // the broker takes what the box says of itself
	StageDone
)

// StageError says at which stage an attempt has failed.
type StageError struct {
	At  Stage
	Err error
}

// Error says where and why.
func (e *StageError) Error() string {
	doing := map[Stage]string{StageReach: "reach the broker", StageTLS: "trust the broker", StageLogin: "log in",
		StageSubscribe: "subscribe"}[e.At]
	if doing == "" {
		return e.Err.Error()
	}
	return doing + ": " + e.Err.Error()
}

// Unwrap returns why.
func (e *StageError) Unwrap() error { return e.Err }

// Errors of the way to the centre.
var (
	// ErrNoConfig says that the broker keeps no configuration for the box: the centre has not enrolled it.
	ErrNoConfig = errors.New("the broker has no configuration for this box")
	// ErrOtherCentre says that something is not signed by the centre that the box knows.
	ErrOtherCentre = errors.New("it is not signed by the centre's key")
	// ErrMayNotWrite says that the broker's rules do not let the box publish records. In MQTT 3.1.1 it takes and drops them.
	ErrMayNotWrite = errors.New("the broker does not let the box publish its records")
	// ErrMayNotTell says that the broker's rules do not let the box say how it is, or answer commands, likewise.
	ErrMayNotTell = errors.New("the broker does not let the box publish")
	// ErrNobodyReads says that the broker has nobody to hand records to.
	ErrNobodyReads = errors.New("nobody reads the box's records at the broker")
	// ErrNoAnswer says that no acknowledgement came, though the broker hands the records on as far as it says.
	ErrNoAnswer = errors.New("no acknowledgement came from the centre")
	// ErrAlgorithm says that the centre does not say that it takes records in the algorithm of the box's key, and answers none.
	ErrAlgorithm = errors.New("what the centre signed for this box does not name the algorithm of its key")
	// ErrAway says that the centre has told the broker that it is not there.
	ErrAway = errors.New("the centre has left the broker")
	// ErrUnproven says that the broker's word releases records, and that it cannot say whether anybody has them.
	ErrUnproven = errors.New("the broker cannot say whether anybody gets the records that its word releases")
	// ErrBusy says that the broker refuses records for a reason that may be over soon, as a quota.
	ErrBusy = errors.New("the broker does not take the record for now")
	// ErrNoReceiver says that the broker's word releases records, and that no receiver says at the broker that it is there.
	ErrNoReceiver = errors.New("no receiver says at the broker that it takes records")
)

// TooLargeError says that a broker does not take a packet for its size.
type TooLargeError struct {
	Bytes int // of the packet
	Limit int // the broker's, 0 if it does not say
}

// Error says both.
func (e *TooLargeError) Error() string {
	if e.Limit == 0 {
		return fmt.Sprintf("the broker does not take a packet of %d bytes", e.Bytes)
	}
	return fmt.Sprintf("the broker does not take a packet of %d bytes, its limit is %d", e.Bytes, e.Limit)
}

// Fault is a stable code of what keeps records from the centre. The words for it are the business of those who show it.
type Fault string

// The faults, in the order of the way.
const (
	FaultName        Fault = "link.name"         // the broker's name is not known
	FaultUnreached   Fault = "link.unreached"    // the network, the port
	FaultCertificate Fault = "link.certificate"  // the broker's, or no TLS at all
	FaultProtocol    Fault = "link.protocol"     // the port answers, and no broker behind it
	FaultLogin       Fault = "link.login"        // user or password are refused
	FaultRead        Fault = "link.read"         // the box may not read its topics
	FaultNotEnrolled Fault = "link.not_enrolled" // the centre has no configuration for the box
	FaultOtherCentre Fault = "link.other_centre" // the centre's key is another than the configured one
	FaultWrite       Fault = "link.write"        // the box may not publish its records
	FaultTell        Fault = "link.tell"         // the box may not publish what it says of itself; Probe alone finds that out
	FaultNobody      Fault = "link.nobody"       // nobody reads them
	FaultAway        Fault = "link.away"         // the centre has said that it is not there
	FaultSilent      Fault = "link.silent"       // nothing is acknowledged
	FaultAlgorithm   Fault = "link.algorithm"    // the centre does not know the algorithm of the box's key
	FaultTooLarge    Fault = "link.too_large"    // records are larger than the broker takes
	FaultUnproven    Fault = "link.unproven"     // the broker's word is no proof
	FaultNoReceiver  Fault = "link.no_receiver"  // the broker's word releases, and nobody says that he receives
	FaultCrashed     Fault = "link.crashed"      // a fault of the program
)

// Faults returns all, in the order of the way.
func Faults() []Fault {
	return []Fault{FaultName, FaultUnreached, FaultCertificate, FaultProtocol, FaultLogin, FaultRead, FaultNotEnrolled, FaultOtherCentre,
		FaultWrite, FaultTell, FaultNobody, FaultAway, FaultSilent, FaultAlgorithm, FaultTooLarge, FaultUnproven, FaultNoReceiver, FaultCrashed}
}

// FaultOf returns the fault that an error of the way to the centre means, empty for nil.
func FaultOf(err error) Fault {
	if err == nil {
		return ""
	}
	if errors.As(err, new(*crash.Error)) {
		return FaultCrashed
	}
	for _, known := range []struct {
		err   error
		fault Fault
	}{{ErrNoReceiver, FaultNoReceiver}, {ErrMayNotWrite, FaultWrite}, {ErrMayNotTell, FaultTell}, {ErrNobodyReads, FaultNobody},
		{ErrUnproven, FaultUnproven}, {ErrAlgorithm, FaultAlgorithm}, {ErrAway, FaultAway},
		{ErrOtherCentre, FaultOtherCentre}, {ErrNoConfig, FaultNotEnrolled}, {ErrNoAnswer, FaultSilent}, {ErrBusy, FaultSilent}} {
		if errors.Is(err, known.err) {
			return known.fault
		}
	}
	if errors.As(err, new(*TooLargeError)) {
		return FaultTooLarge
	}
	return faultAt(err)
}

// faultAt returns the fault of an error by the stage at which it came.
func faultAt(err error) Fault {
	at := new(StageError)
	if !errors.As(err, &at) {
		return FaultUnreached
	}
	switch at.At {
	case StageTLS:
		if errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(tls.RecordHeaderError)) || alerted(err) {
			return FaultCertificate
		}
		return FaultProtocol
	case StageLogin:
		if alerted(err) { // TLS 1.3 tells a client that its certificate is refused when it first reads
			return FaultCertificate
		}
		if IsRefused(err) {
			return FaultLogin
		}
		return FaultProtocol
	case StageSubscribe:
		return FaultRead
	case StageConfig:
		return FaultOtherCentre
	case StageAnswer:
		return FaultSilent
	}
	if errors.As(err, new(*net.DNSError)) {
		return FaultName
	}
	return FaultUnreached
}

// alerted reports whether the other side has ended TLS with an alert, as it does where it refuses a certificate.
func alerted(err error) bool {
	op := new(net.OpError)
	return errors.As(err, &op) && op.Op == "remote error" || errors.As(err, new(tls.AlertError))
}

// IsRefused reports whether the broker has refused the user or the password, rather than being out of order.
func IsRefused(err error) bool {
	const badPassword, notAuthorised = 0x86, 0x87 // of MQTT 5
	var refused mqtt5.RefusedError
	return errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) || errors.Is(err, packets.ErrorRefusedNotAuthorised) ||
		errors.As(err, &refused) && (refused.Reason == badPassword || refused.Reason == notAuthorised)
}
