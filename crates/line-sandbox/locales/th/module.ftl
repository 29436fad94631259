# หน้าเชื่อมต่อโมดูล
module-attach-title = เชื่อมต่อ “{ $name }” กับบัญชีทางการ
module-attach-lead = เมื่อเชื่อมต่อแล้ว โมดูลนี้จะทำสิ่งต่อไปนี้บนบัญชีที่คุณเลือกได้ คุณยกเลิกการเชื่อมต่อได้ทุกเมื่อ
module-attach-scopes = สิทธิ์ที่โมดูลขอ
module-attach-account = บัญชีที่จะเชื่อมต่อ
module-attach-agree = ยินยอมและเชื่อมต่อ
module-attach-none = ไม่มีบัญชีที่เชื่อมต่อกับโมดูลนี้ได้
module-scope-send = ส่งข้อความและจัดการกลุ่มเป้าหมาย
module-scope-receive = รับข้อความและอีเวนต์ และรับช่วงแชท
module-scope-account = จัดการริชเมนูและดูสถิติ
module-scope-profile = ดูโปรไฟล์ของเพื่อนและกลุ่ม
module-scope-coupon = สร้างและจัดการคูปอง
module-scope-read = ทำเครื่องหมายว่าอ่านแล้ว
module-scope-pnp = ส่งข้อความแจ้งเตือนของ LINE
module-scope-crm = ใช้ปลั๊กอินแชท
