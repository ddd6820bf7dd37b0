package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"
)

// From linux/if_tun.h; package syscall has none of them.
const (
	tunSetIff     = 0x400454ca
	tunSetOffload = 0x400454d0
	iffTun        = 0x0001
	iffNoPI       = 0x1000
	iffVnetHdr    = 0x4000
	offloadSum    = 0x01
	offloadTSO4   = 0x02
)

// setns is the number of that system call, which package syscall lacks on some systems.
var setns = map[string]uintptr{"amd64": 308, "arm64": 268}

const device = "wan0"

// end is one end of the path.
type end struct{ namespace, address string }

// join opens both ends' devices and gives them their addresses.
func join(a, b end) ([2]int, error) {
	var fds [2]int
	for i, pair := range [2][2]end{{a, b}, {b, a}} {
		fd, err := open(pair[0].namespace)
		if err != nil {
			return fds, err
		}
		if err := configure(pair[0], pair[1].address); err != nil {
			return fds, err
		}
		fds[i] = fd
	}
	return fds, nil
}

// open returns a new TUN device in a namespace. Only the thread that opens it enters the namespace;
// the thread ends with its goroutine.
func open(namespace string) (int, error) {
	type result struct {
		fd  int
		err error
	}
	opened := make(chan result)
	go func() {
		runtime.LockOSThread()
		fd, err := openHere(namespace)
		opened <- result{fd, err}
	}()
	r := <-opened
	return r.fd, r.err
}

func openHere(namespace string) (int, error) {
	number, ok := setns[runtime.GOARCH]
	if !ok {
		return 0, fmt.Errorf("the number of setns is unknown on %s", runtime.GOARCH)
	}
	file, err := os.Open("/var/run/netns/" + namespace)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, _, errno := syscall.RawSyscall(number, file.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
		return 0, fmt.Errorf("entering %s: %w", namespace, errno)
	}
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("/dev/net/tun: %w", err)
	}
	var request [40]byte
	copy(request[:16], device)
	*(*uint16)(unsafe.Pointer(&request[16])) = iffTun | iffNoPI | iffVnetHdr
	if err := ioctl(fd, tunSetIff, uintptr(unsafe.Pointer(&request[0]))); err != nil {
		return 0, fmt.Errorf("opening a TUN device: %w", err)
	}
	if err := ioctl(fd, tunSetOffload, offloadSum|offloadTSO4); err != nil {
		return 0, fmt.Errorf("enabling joined packets of a TUN device: %w", err)
	}
	return fd, nil
}

func ioctl(fd int, request, argument uintptr) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, argument); errno != 0 {
		return errno
	}
	return nil
}

// configure gives a device its address and the namespace's only route, to the other end.
func configure(this end, peer string) error {
	commands := [][]string{
		{"addr", "add", this.address, "peer", peer, "dev", device},
		// Longer than any window, so that only the link loses packets.
		{"link", "set", device, "mtu", "1500", "txqueuelen", "20000", "up"},
		{"link", "set", "lo", "up"},
	}
	for _, command := range commands {
		arguments := append([]string{"-n", this.namespace}, command...)
		if out, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", arguments, err, out)
		}
	}
	return nil
}
