package syslogconfirmed

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// tcpCloseWait is the kernel's TCP_CLOSE_WAIT: the other side has ended, ours has not.
const tcpCloseWait = 8

// hasEnded tells whether the server ended its side first.
func hasEnded(tcp *net.TCPConn) bool {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	ended := false
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		ended = err == nil && info.State == tcpCloseWait
	})
	return ended
}

// outstanding returns how many bytes (the end of our side counts as one) the other host has not
// confirmed, and the error that the connection has, such as a reset that came after the end.
func outstanding(tcp *net.TCPConn) (int, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	var unconfirmed, state int
	var queueErr, stateErr error
	if err := raw.Control(func(fd uintptr) {
		unconfirmed, queueErr = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		state, stateErr = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	}); err != nil {
		return 0, err
	}
	switch {
	case queueErr != nil:
		return 0, queueErr
	case stateErr != nil:
		return unconfirmed, stateErr
	case state != 0:
		return unconfirmed, syscall.Errno(state)
	}
	return unconfirmed, nil
}
