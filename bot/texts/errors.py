"""What a failure means for the user."""

MODEL = "Şu an mesajları değerlendiremiyorum 😕 Biraz sonra yeniden dener misin?"
STORE = "Şu an kayıtlarıma ulaşamıyorum 😕 Biraz sonra yeniden dener misin?"
OTHER = "Bir şeyler ters gitti 😕 Biraz sonra yeniden dener misin?"
