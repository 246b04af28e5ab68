// Package board runs the box's programs on a board that is not there: a stock Debian kernel in QEMU, with real kernel
// drivers for GPIO, screen, serial line, disk and network, of which the other end is in the test's hands.
//
// A Board is an arm64 machine with
//
//   - a PL061 GPIO controller whose lines have names: the test moves the inputs and sees the outputs (qtest);
//   - a virtio-gpu screen, which the test photographs from outside (QMP);
//   - a PCI serial port, /dev/ttyS0, of which the test holds the other end;
//   - USB: a keyboard, a serial adapter that is plugged in and out, and through /dev/uhid a keypad whose reports are the test's;
//   - a disk with ext4, mounted at /data, which outlives the machine;
//   - a network on which the host is 10.0.2.2;
//   - a shell on a console of its own, for what an engineer would type.
//
// LargePages is a kernel whose pages have 16 KB, from Debian 13, on a processor of a Pi 5's kind.
//
// Nothing is installed in it but busybox and what the test puts on the disk. The kernel and busybox come from Debian's
// archive by apt, once, into a folder that is given.
//
// PowerOff ends the machine as a pulled plug does: what the guest's kernel has not sent to the disk is gone. What the disk
// itself would lose of that is proved by internal/proof/powercut, for QEMU's disk loses nothing.
package board
