import Foundation
import PlueConfig
import SystemPackage
import Testing

@testable import PlueSecrets

#if os(Linux)
@Suite struct `What was opened` {
    /// In a process of its own: this one has the text in other places, since it sealed it.
    @Test func `Is nowhere in memory once the last copy of the secret is gone`() async throws {
        let text = (0..<40).map { _ in String("abcdefghijklmnopqrstuvwxyz".randomElement() ?? "a") }.joined()
        let keyring = Keyring(DataKey(), created: .someDay)
        let token = try keyring.seal(Secret(text), at: .database).description
        let (keys, masked) = (keyring.text, text.utf8.map { $0 ^ MemoryScan.mask })
        let maskedKey = try #require(keyring.entries.first?.key).withBytes { $0.map { $0 ^ MemoryScan.mask } }
        await #expect(processExitsWith: .success) {
            [token = token as String, keys = keys as [UInt8], masked = masked as [UInt8], maskedKey = maskedKey as [UInt8]] in
            let (scan, keyScan) = (MemoryScan(masked), MemoryScan(maskedKey))
            try withScratch { root in
                let file = KeyringFile(root.appending("keyring"))
                try file.create(Keyring(parsing: keys, name: "keyring"))
                let opener = SecretOpener(file)
                #expect(scan.findings() == 0)
                #expect(keyScan.findings() == 1)
                var secret: Secret<String>? = try opener.open(token, at: .database)
                // The scan finds what there is: the one copy, in locked memory.
                #expect(scan.findings() == 1)
                let code = secret?.withExposedBytes { $0.reduce(0) { ($0 &+ Int($1)) &* 31 } }
                #expect(code != nil && scan.findings() == 1)
                #expect(keyScan.findings() == 1)
                secret = nil
                // The opener remembers it, until it is not used any more.
                #expect(scan.findings() == 1)
                opener.forgetUnused()
                opener.forgetUnused()
                #expect(scan.findings() == 0)
                #expect(opener.remembered == 0 && secret == nil)
            }
        }
    }
}

/// Looks for bytes in all memory of this process that can be written, without having them there itself.
private struct MemoryScan {
    static let mask: UInt8 = 0x55
    private let masked: [UInt8]

    init(_ masked: [UInt8]) { self.masked = masked }

    /// How often they are there.
    func findings() -> Int {
        guard let maps = try? FileHandle(forReadingAtPath: "/proc/self/maps")?.readToEnd() else { return -1 }
        let memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC)
        defer { close(memory) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var count = 0
        for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") {
            let range = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
            guard range.count == 2, line.contains(" rw") else { continue }
            var start = range[0]
            while start < range[1] {
                _ = buffer.initializeMemory(as: UInt8.self, repeating: 0)
                let wanted = min(buffer.count, Int(range[1] - start))
                let got = pread(memory, buffer.baseAddress, wanted, off_t(start))
                guard got > 0 else { break }
                count += occurrences(in: UnsafeRawBufferPointer(rebasing: buffer[..<got]))
                // With what may be cut by the end of the buffer.
                start += UInt(got < wanted || start + UInt(got) == range[1] ? got : got - masked.count)
            }
        }
        return count
    }

    private func occurrences(in bytes: UnsafeRawBufferPointer) -> Int {
        var (count, offset) = (0, 0)
        while let base = bytes.baseAddress, offset + masked.count <= bytes.count,
            let found = memchr(base + offset, Int32(masked[0] ^ Self.mask), bytes.count - offset - masked.count + 1)
        {
            offset = UnsafeRawPointer(found) - base
            if masked.indices.allSatisfy({ bytes[offset + $0] ^ Self.mask == masked[$0] }) { count += 1 }
            offset += 1
        }
        return count
    }
}
#endif
