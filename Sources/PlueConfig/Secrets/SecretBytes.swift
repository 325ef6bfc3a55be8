import CPlueSystem

/// Bytes in ``SecretMemory``, never changed, and erased when the last reference is gone.
package final class SecretBytes: @unchecked Sendable {
    // Sendable: the slot is written by `init` alone, which nobody sees before it is done, and erased by `deinit`.
    private let memory: SecretMemory
    private let slot: SecretSlot
    package let count: Int

    /// Copies bytes. The caller erases its own, when it can.
    package convenience init(_ bytes: UnsafeRawBufferPointer) { self.init(bytes, in: .shared) }

    init(_ bytes: UnsafeRawBufferPointer, in memory: SecretMemory) {
        self.memory = memory
        count = bytes.count
        slot = memory.take(bytes.count)
        if let start = bytes.baseAddress { slot.start.copyMemory(from: start, byteCount: bytes.count) }
    }

    static func of(_ text: String) -> SecretBytes {
        var text = text
        return text.withUTF8 { SecretBytes(UnsafeRawBufferPointer($0)) }
    }

    deinit { memory.giveBack(slot) }

    /// The bytes, valid inside `body` only.
    package func withBytes<Result, Failure: Error>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(UnsafeRawBufferPointer(start: slot.start, count: count))
    }

    /// The bytes as text; a copy that nobody erases.
    var text: String { withBytes { String(decoding: $0, as: UTF8.self) } }
}
