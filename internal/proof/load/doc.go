// The program load measures the centre from outside: it starts a mosquitto and a centrald of their own on loopback, enrols
// terminals, and sends what real boxes would send, over MQTT alone. It prints lines "name value" and nothing else on its
// standard output.
//
//	load -terminals 10000 -rate 5000 -time 60s    press to acknowledgement, memory and CPU of the centre
//	load -terminals 1000 -rate 1000 -time 1s -batch 150   a flood: 200 MB at once, for the centre's memory
//	load -drain 100000                            a box's backlog, beside one plain client of the same run
//
// Every terminal is a connection with an identity of its own. A visit is one signed batch of three records (visit,
// evaluation, outcome), due at a fixed moment whether or not those before it were answered; the time counts from that moment
// until the centre's acknowledgement covers it. The batches are signed and encoded before the clock starts, since in the field
// as many boxes do that themselves; what the generator takes of the processor while it runs is printed, too.
//
// Of the acknowledgements every hundredth is verified; the others are only read. A terminal that hears nothing for ten
// seconds sends again from the first batch that is not acknowledged, as a box does.
package main
